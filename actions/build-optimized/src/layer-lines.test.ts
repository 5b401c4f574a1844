import { parseDockerfile } from '@sophia/dockerfile';
import { describe, expect, it } from 'vitest';
import { locateLayers } from './layer-lines.ts';

const dockerfile = parseDockerfile(
  [
    'FROM debian AS base', //     1
    'RUN apt-get update', //      2
    'FROM base AS build', //      3
    'COPY . /src', //             4
    'FROM base', //               5
    'WORKDIR /app', //            6
    'COPY --from=build /a /a', // 7
    'ENV X=1', //                 8
    'RUN one', //                 9
    'RUN two', //                10
  ].join('\n'),
);

function linesOf(
  target: string,
  instructions: readonly (string | undefined)[],
): readonly (number | undefined)[] {
  const layers = instructions.map((instruction) => (instruction === undefined ? {} : { instruction }));
  return locateLayers(dockerfile, target, layers).map(({ line }) => line);
}

describe('locateLayers', () => {
  // Lines counted in the file above; layers as BuildKit writes its history, the base image's first.
  it('follows the target stage and the stages it is built on, down to the base image', () => {
    expect(
      linesOf('', [
        '/bin/sh -c #(nop) ADD file:1',
        'RUN apt-get update',
        'WORKDIR /app',
        'COPY /a /a',
        'RUN one',
        'RUN two',
      ]),
    ).toEqual([undefined, 2, 6, 7, 9, 10]);
  });

  it('knows that a WORKDIR which exists already makes no layer', () => {
    expect(linesOf('', [undefined, 'RUN apt-get update', 'COPY /a /a', 'RUN one', 'RUN two'])).toEqual([
      undefined,
      2,
      7,
      9,
      10,
    ]);
  });

  it('follows a target by name, whatever its case, and by number', () => {
    const layers = [undefined, 'RUN apt-get update', 'COPY . /src'];
    expect(linesOf('BUILD', layers)).toEqual([undefined, 2, 4]);
    expect(linesOf('1', layers)).toEqual([undefined, 2, 4]);
  });

  it('gives no line from where the layers are not those of the file', () => {
    expect(linesOf('', ['RUN apt-get update', 'ADD other /', 'RUN two'])).toEqual([undefined, undefined, 10]);
  });

  it('gives no line for a target that is not there', () => {
    expect(linesOf('nowhere', ['RUN two'])).toEqual([undefined]);
  });
});
