import { describe, expect, it } from 'vitest';
import { alignHistory, simplifyCreatedBy } from './history.ts';

describe('simplifyCreatedBy', () => {
  // Left: as `docker history --no-trunc` shows it for images of BuildKit and of the classic builder.
  it.each([
    ['COPY app.txt /app.txt # buildkit', 'COPY app.txt /app.txt'],
    ['RUN /bin/sh -c echo one > /one # buildkit', 'RUN echo one > /one'],
    ['RUN |1 TOKEN=s3cret /bin/sh -c make TOKEN # buildkit', 'RUN make TOKEN'],
    ['RUN |2 A=x y B=z /bin/bash -o pipefail -c curl x | tar x # buildkit', 'RUN curl x | tar x'],
    ['RUN |1 A=1 cmd.exe /S build # buildkit', 'RUN …'],
    ['|1 TOKEN=s3cret /bin/sh -c make', 'RUN make'],
    [
      '/bin/sh -c apt-get update   && apt-get install -y curl',
      'RUN apt-get update && apt-get install -y curl',
    ],
    ['/bin/sh -c #(nop) COPY file:2f8a in / ', 'COPY file:2f8a in /'],
    ['/bin/sh -c #(nop)  CMD ["bash"]', 'CMD ["bash"]'],
    ['RUN /bin/sh -c <<EOF\nset -e\nmake\nEOF # buildkit', 'RUN <<EOF set -e make EOF'],
    ['# debian.sh --arch amd64 out/ bookworm', '# debian.sh --arch amd64 out/ bookworm'],
    ['WORKDIR /app', 'WORKDIR /app'],
    ['', undefined],
    [undefined, undefined],
  ])('%j ▶ %j', (createdBy, expected) => {
    expect(simplifyCreatedBy(createdBy)).toBe(expected);
  });
});

describe('alignHistory', () => {
  const history = [
    { created_by: 'COPY a / # buildkit' },
    { created_by: 'ENV A=1', empty_layer: true },
    { created_by: 'COPY b / # buildkit' },
  ];

  it('passes over entries that made no layer', () => {
    expect(alignHistory({ history }, 2)).toEqual(['COPY a /', 'COPY b /']);
  });

  it.each([1, 3])('says nothing about %i layers, which the history does not fit', (layerCount) => {
    expect(alignHistory({ history }, layerCount)).toEqual(Array.from({ length: layerCount }));
  });

  it('says nothing where there is no history', () => {
    expect([alignHistory({}, 1), alignHistory({ history: null }, 1)]).toEqual([[undefined], [undefined]]);
  });
});
