import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createBuildkit } from '@sophia/buildkit';
import { locateStep, parseDockerfile } from '@sophia/dockerfile';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { engine } from '../harness/engine.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lines-'));
  await writeFile(join(folder, 'app.txt'), 'app\n');
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** Builds it and gives each step that stands in the Dockerfile as `keyword start-end`, in the order of lines. */
async function locateSteps(dockerfile: string, args: readonly string[]): Promise<string[]> {
  await writeFile(join(folder, 'Dockerfile'), dockerfile);
  const outcome = await createBuildkit({ env: engine().dockerEnv, tempFolder: folder }).build({
    args: ['build', ...engine().networkArgs, ...args, '.'],
    env: engine().dockerEnv,
    cwd: folder,
    signal: new AbortController().signal,
    onLine: () => undefined,
  });
  expect(outcome.failure).toBeUndefined();
  const parsed = parseDockerfile(dockerfile);
  return outcome.progress.steps
    .filter(({ kind, index }) => kind === 'instruction' && index !== undefined)
    .map((step) => ({ keyword: step.keyword, range: locateStep(parsed, step) }))
    .toSorted((a, b) => (a.range?.startLine ?? 0) - (b.range?.startLine ?? 0))
    .map(
      ({ keyword, range }) =>
        `${keyword} ${range === undefined ? 'nowhere' : `${range.startLine}-${range.endLine}`}`,
    );
}

describe('the steps of a real build', () => {
  // Lines by hand.
  test.each([
    {
      name: 'stages, continuations, comments and variables',
      args: ['--build-arg', 'NAME=world'],
      dockerfile: `# a comment
ARG BASE=busybox
FROM \${BASE} AS Build
ARG NAME
ENV GREETING="hello \${NAME:-nobody}"
WORKDIR /src

RUN echo "$GREETING" \\
    # why

    && for i in 1 2; do echo $i; done
COPY ["app.txt", "copied file.txt"]

FROM busybox
RUN echo one
RUN echo one
COPY --from=build \\
  /src/app.txt* "/src"/copied* /
CMD ["true"]
`,
      expected: [
        'FROM 3-3',
        'WORKDIR 6-6',
        'RUN 8-11',
        'COPY 12-12',
        'FROM 14-14',
        'RUN 15-15',
        'RUN 16-16',
        'COPY 17-18',
      ],
    },
    {
      name: 'here-documents',
      args: [],
      dockerfile: `FROM busybox AS one
RUN <<EOT
echo first
echo second
EOT
COPY <<-"CONF" <<OTHER /etc/
	key = "$value"
	CONF
FROM busybox AS evil
OTHER
RUN echo after
FROM one
RUN <<'EOT' sh -x
echo $x
EOT
`,
      expected: ['FROM 1-1', 'RUN 2-5', 'COPY 6-10', 'RUN 11-11', 'RUN 13-15'],
    },
    {
      name: 'triggers of another stage',
      args: [],
      dockerfile: `FROM busybox AS base
ONBUILD RUN echo trigger
ONBUILD COPY app.txt /trigger.txt
FROM base
RUN echo own
COPY app.txt /
`,
      expected: ['FROM 1-1', 'ONBUILD 2-2', 'ONBUILD 3-3', 'RUN 5-5', 'COPY 6-6'],
    },
    {
      name: 'layers that are linked, and an image that is copied from',
      args: [],
      dockerfile: `FROM busybox
COPY --link app.txt /a
COPY --from=busybox --link /bin/sh /sh
RUN --mount=type=cache,target=/c,uid=1000 \\
    true
`,
      expected: ['FROM 1-1', 'COPY 2-2', 'COPY 3-3', 'RUN 4-5'],
    },
    {
      name: 'more than nine steps, Windows line ends and a backtick',
      args: [],
      dockerfile: `# escape=\`\r\nFROM busybox\r\n${Array.from({ length: 8 }, (_, at) => `RUN echo ${at}`).join('\r\n')}\r\nRUN echo \`\r\n  last\r\n`,
      expected: ['FROM 2-2', ...Array.from({ length: 8 }, (_, at) => `RUN ${at + 3}-${at + 3}`), 'RUN 11-12'],
    },
  ])('are found in its Dockerfile: $name', async ({ dockerfile, args, expected }) => {
    const located = await locateSteps(dockerfile, args);
    // A base image that several stages, or builds that run beside, start from is one step with one of their names.
    const own = (lines: readonly string[]): string[] => lines.filter((line) => !line.startsWith('FROM'));
    expect(own(located)).toEqual(own(expected));
    expect(expected).toEqual(expect.arrayContaining(located.filter((line) => line !== 'FROM nowhere')));
  });
});
