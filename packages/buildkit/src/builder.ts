import { describeFailure } from './build-failure.ts';
import { BuildkitError } from './buildkit-error.ts';

/** One machine that a builder builds on. */
export type BuilderNode = {
  readonly name: string;
  readonly endpoint?: string;
  /** `running`, `inactive`, … */
  readonly status?: string;
  /** As the node says it; `v0.0.0+unknown` where a distribution built it. */
  readonly buildkitVersion?: string;
  readonly platforms: readonly string[];
  /** Of the `docker` driver only: the engine keeps images in containerd's store. */
  readonly isContainerdSnapshotter?: boolean;
};

/** A buildx builder. `driver`: `docker`, `docker-container`, `remote`, `kubernetes`, `cloud`. */
export type Builder = {
  readonly name: string;
  readonly driver: string;
  readonly nodes: readonly BuilderNode[];
};

/**
 * Reads what `docker buildx inspect` prints.
 *
 * @throws {BuildkitError} The builder exists but its engine gives an error.
 */
export function parseBuilder(text: string): Builder {
  const [head = [], ...nodes] = splitSections(text);
  const error = findValue(head, 'Error');
  if (error !== undefined) throw describeBuilderError(error);
  const driver = findValue(head, 'Driver') ?? '';
  return {
    name: findValue(head, 'Name') ?? '',
    driver,
    nodes: nodes.map((lines) => parseNode(lines, driver)),
  };
}

/** The builder's own lines, then those of each node. */
function splitSections(text: string): string[][] {
  const lines = text.split(/\r?\n/);
  const nodesAt = lines.findIndex((line) => /^Nodes:\s*$/.test(line));
  if (nodesAt < 0) return [lines];
  const sections = [lines.slice(0, nodesAt)];
  for (const line of lines.slice(nodesAt + 1)) {
    if (/^Name:/.test(line)) sections.push([]);
    if (sections.length > 1) sections.at(-1)?.push(line);
  }
  return sections;
}

function findValue(lines: readonly string[], key: string): string | undefined {
  const line = lines.find((candidate) => candidate.startsWith(`${key}:`));
  const value = line?.slice(key.length + 1).trim();
  return value === '' ? undefined : value;
}

function parseNode(lines: readonly string[], driver: string): BuilderNode {
  const endpoint = findValue(lines, 'Endpoint');
  const status = findValue(lines, 'Status');
  const buildkitVersion = findValue(lines, 'BuildKit version') ?? findValue(lines, 'Buildkit');
  const platforms = (findValue(lines, 'Platforms') ?? '').split(',');
  const labels = lines.filter((line) => /^\s+org\.mobyproject\.buildkit\.worker\./.test(line));
  return {
    name: findValue(lines, 'Name') ?? '',
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(status === undefined ? {} : { status }),
    ...(buildkitVersion === undefined ? {} : { buildkitVersion }),
    // A star marks a platform that was set by hand.
    platforms: platforms
      .map((platform) => platform.trim().replace(/\*$/, ''))
      .filter((platform) => platform !== ''),
    ...(driver === 'docker' && labels.length > 0
      ? { isContainerdSnapshotter: labels.some((line) => line.includes('.worker.containerd.namespace:')) }
      : {}),
  };
}

function describeBuilderError(error: string): BuildkitError {
  const operation = 'inspect builder';
  const failure = describeFailure({ steps: [], warnings: [], trailer: [`ERROR: ${error}`] }, 1, []);
  if (failure.kind === 'failed' && failure.reason === 'engine-unreachable') {
    return new BuildkitError(failure.message, { operation, isTemporary: true });
  }
  const isUnreachable = /connection refused|deadline exceeded|no such host/i.test(error);
  return new BuildkitError(
    `The builder cannot be used: ${error.slice(0, 110).replace(/[.?]+$/, '')}. Run "docker buildx inspect --bootstrap" to see more.`,
    { operation, isTemporary: isUnreachable },
  );
}
