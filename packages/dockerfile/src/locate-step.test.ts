// biome-ignore-all lint/suspicious/noTemplateCurlyInString: a Dockerfile's variables look like this
import { describe, expect, it } from 'vitest';
import { locateStep, type StepPosition } from './locate-step.ts';
import { parseDockerfile } from './parse-dockerfile.ts';

const step = (
  stage: string | undefined,
  index: number,
  total: number,
  instruction: string,
): StepPosition => ({
  ...(stage === undefined ? {} : { stage }),
  index,
  total,
  instruction,
});

// Dockerfiles that were built, and the names that BuildKit 0.25 then gave the steps; lines by hand.
const service = `FROM busybox:1.36 AS base
WORKDIR /src

FROM base AS build
COPY app.txt other.txt ./
RUN echo compiling \\
    && sleep 1 \\
    # a comment inside
    && printf 'a\\rb\\rdone\\n'
RUN head -c 3000000 /dev/urandom > /blob

FROM fat:1
COPY --from=build /out.txt /out.txt
ENV A=1
COPY --from=build /blob /blob
`;
const heredocs = `# escape=\\
FROM busybox AS one
RUN <<EOT
echo first
EOT
COPY <<-"CONF" <<OTHER /etc/
	key = "$value"
	CONF
FROM busybox AS evil
OTHER
RUN echo after
FROM one
RUN <<EOT sh -x
echo x
EOT
`;
const onbuild = 'FROM onbase:1\nRUN echo own\nCOPY app.txt /own.txt\n';
const platforms = `FROM --platform=$BUILDPLATFORM busybox AS build
ARG TARGETARCH
RUN echo built for $TARGETARCH > /arch
RUN echo built for $TARGETARCH > /arch
FROM scratch
COPY --from=build /arch /arch
`;
const link = `FROM busybox AS assets
RUN echo asset > /asset

FROM busybox
COPY --link --from=assets /asset /asset
COPY --link app.txt /app.txt
RUN --mount=type=cache,target=/cache,uid=1000 \\
    echo cached > /cache/x
`;

const files = { service, heredocs, onbuild, platforms, link };

describe('locateStep', () => {
  it.each([
    ['service', 'base', 1, 2, 'FROM docker.io/library/busybox:1.36@sha256:2798', 1, 1],
    ['service', 'base', 2, 2, 'WORKDIR /src', 2, 2],
    ['service', 'build', 1, 3, 'COPY app.txt other.txt ./', 5, 5],
    ['service', 'build', 2, 3, "RUN echo compiling     && sleep 1     && printf 'a\\rb\\rdone\\n'", 6, 9],
    ['service', 'build', 3, 3, 'RUN head -c 3000000 /dev/urandom > /blob', 10, 10],
    ['service', 'stage-2', 1, 3, 'FROM docker.io/library/fat:1@sha256:ef48', 12, 12],
    ['service', 'stage-2', 2, 3, 'COPY --from=build /out.txt /out.txt', 13, 13],
    ['service', 'stage-2', 3, 3, 'COPY --from=build /blob /blob', 15, 15],
    ['heredocs', 'one', 2, 4, 'RUN <<EOT (echo first...)', 3, 5],
    ['heredocs', 'one', 3, 4, 'COPY <<-CONF <<OTHER /etc/', 6, 10],
    ['heredocs', 'one', 4, 4, 'RUN echo after', 11, 11],
    ['heredocs', 'stage-1', 1, 1, 'RUN <<EOT sh -x', 13, 15],
    ['onbuild', undefined, 1, 3, 'FROM docker.io/library/onbase:1@sha256:5a08', 1, 1],
    ['onbuild', undefined, 4, 5, 'RUN echo own', 2, 2],
    ['onbuild', undefined, 5, 5, 'COPY app.txt /own.txt', 3, 3],
    ['platforms', 'build', 1, 3, 'FROM docker.io/library/busybox:latest@sha256:2798', 1, 1],
    ['platforms', 'build', 2, 3, 'RUN echo built for amd64 > /arch', 3, 3],
    ['platforms', 'build', 3, 3, 'RUN echo built for arm64 > /arch', 4, 4],
    ['platforms', 'stage-1', 1, 1, 'COPY --from=build /arch /arch', 6, 6],
    ['link', 'stage-1', 2, 4, 'COPY --link --from=assets /asset /asset', 5, 5],
    [
      'link',
      'stage-1',
      4,
      4,
      'RUN --mount=type=cache,target=/cache,uid=1000     echo cached > /cache/x',
      7,
      8,
    ],
  ] as const)('%s: [%s %i/%i] %s', (file, stage, index, total, instruction, startLine, endLine) => {
    expect(locateStep(parseDockerfile(files[file]), step(stage, index, total, instruction))).toEqual({
      startLine,
      endLine,
    });
  });

  it('knows a trigger of the base image for none of its own lines', () => {
    expect(
      locateStep(parseDockerfile(onbuild), step(undefined, 2, 5, 'ONBUILD RUN echo trigger > /trigger')),
    ).toBeUndefined();
  });

  it('knows the image of a COPY --from for no FROM of the file', () => {
    const dockerfile = parseDockerfile('FROM busybox\nCOPY --from=busybox:1.36 /bin/sh /x\n');
    expect(
      locateStep(dockerfile, { instruction: 'FROM docker.io/library/busybox:1.36@sha256:2798' }),
    ).toBeUndefined();
    // It makes the one stage of the file one of several, so BuildKit names it.
    expect(locateStep(dockerfile, step('stage-0', 2, 2, 'COPY --from=busybox:1.36 /bin/sh /x'))).toEqual({
      startLine: 2,
      endLine: 2,
    });
  });

  it('goes by the image of a FROM, whose name may come from another build that runs beside', () => {
    const dockerfile = parseDockerfile(
      'ARG V=1\nFROM node:22@sha256:aa AS base\nFROM busybox\nFROM ghcr.io/o/r:$V\nFROM busybox\n',
    );
    const locate = (stage: string | undefined, image: string) =>
      locateStep(dockerfile, step(stage, 1, 9, `FROM ${image}`))?.startLine;
    expect(locate('base', 'docker.io/library/node:22@sha256:aa')).toBe(2);
    expect(locate('foreign', 'docker.io/library/node:22@sha256:aa')).toBe(2);
    expect(locate('base', 'docker.io/library/busybox:latest@sha256:bb')).toBeUndefined();
    expect(locate('stage-1', 'docker.io/library/busybox:latest@sha256:bb')).toBe(3);
    expect(locate('stage-3', 'docker.io/library/busybox:latest@sha256:bb')).toBe(5);
    expect(locate('stage-2', 'ghcr.io/o/r:1@sha256:cc')).toBe(4);
    expect(locate(undefined, 'ghcr.io/o/r:1@sha256:cc')).toBeUndefined();
  });

  it('finds a trigger that another stage of the file set', () => {
    const dockerfile = parseDockerfile(
      'FROM busybox AS base\nONBUILD RUN echo trigger\nFROM base\nRUN echo own\n',
    );
    expect(locateStep(dockerfile, step('stage-1', 1, 2, 'ONBUILD RUN echo trigger'))).toEqual({
      startLine: 2,
      endLine: 2,
    });
    expect(locateStep(dockerfile, step('stage-1', 2, 2, 'RUN echo own'))).toEqual({
      startLine: 4,
      endLine: 4,
    });
  });

  it('compares names of stages without case', () => {
    expect(
      locateStep(parseDockerfile('FROM a AS Build\nRUN x\nFROM b\n'), step('build', 2, 2, 'RUN x')),
    ).toEqual({ startLine: 2, endLine: 2 });
  });

  it('goes by the text where the numbers do not fit the file, if it stands there once', () => {
    const dockerfile = parseDockerfile('FROM a\nRUN one\nRUN two\nRUN two\n');
    expect(locateStep(dockerfile, step(undefined, 2, 2, 'RUN one'))).toEqual({ startLine: 2, endLine: 2 });
    expect(locateStep(dockerfile, step(undefined, 2, 2, 'RUN two'))).toBeUndefined();
    expect(locateStep(dockerfile, step('gone', 2, 4, 'RUN one'))).toEqual({ startLine: 2, endLine: 2 });
    expect(locateStep(dockerfile, { instruction: 'RUN one' })).toEqual({ startLine: 2, endLine: 2 });
  });

  it('takes no step for a line that says something else', () => {
    const dockerfile = parseDockerfile('FROM a\nRUN one\nCOPY two /\n');
    expect(locateStep(dockerfile, step(undefined, 2, 3, 'RUN other'))).toBeUndefined();
    expect(locateStep(dockerfile, step(undefined, 3, 3, 'RUN one'))).toEqual({ startLine: 2, endLine: 2 });
    expect(locateStep(dockerfile, {})).toBeUndefined();
    expect(locateStep(parseDockerfile(''), step(undefined, 1, 1, 'RUN x'))).toBeUndefined();
  });

  it.each([
    ['COPY "${SRC:-a}/b c" $DEST/x/', 'COPY src/b c /opt/x/'],
    ['RUN echo "$A$B" && echo $((1+2))', 'RUN echo "$A$B" && echo $((1+2))'],
    ['RUN --mount=type=cache,id=$ID make $TARGET', 'RUN --mount=type=cache,id=7 make all'],
    ['WORKDIR $HOME', 'WORKDIR /root'],
    ['run Echo', 'RUN Echo'],
    ['RUN a${X}b${Y}b', 'RUN a1bb2b'],
  ])('sees %s in %s', (line, instruction) => {
    expect(locateStep(parseDockerfile(`FROM a\n${line}\n`), step(undefined, 2, 2, instruction))).toEqual({
      startLine: 2,
      endLine: 2,
    });
  });

  it('comes to an end with a text that invites backtracking', () => {
    const dockerfile = parseDockerfile(`FROM a\nRUN ${'a$X'.repeat(15_000)}\n`.replaceAll('$X', '${X}'));
    expect(locateStep(dockerfile, step(undefined, 2, 2, `RUN ${'a'.repeat(60_000)}`))).toEqual({
      startLine: 2,
      endLine: 2,
    });
  });
});
