import type { BuildStep } from './build-step.ts';

export type FailureReason =
  | 'run-failed'
  | 'dockerfile-syntax'
  | 'dockerfile-missing'
  | 'push-denied'
  | 'registry-unreachable'
  | 'base-image-missing'
  | 'engine-unreachable'
  | 'cache-export'
  | 'argument'
  | 'stage-missing'
  | 'file-missing'
  | 'disk-full'
  | 'checks-failed'
  | 'unknown';

/** How a cause is known and what to say of it. The first match counts, so the narrow ones stand first. */
export type FailureEntry = {
  readonly pattern: RegExp;
  readonly reason: FailureReason;
  /** One sentence in the imperative. */
  readonly advice: string;
  /** Says the cause better than BuildKit; without it BuildKit's own words stand. */
  readonly say?: (match: RegExpExecArray | null, cause: string, args: readonly string[]) => string;
  /** A further condition: on the failed step, and the Dockerfile's line that is meant. */
  readonly isCause?: (at: { readonly step: BuildStep | undefined; readonly line: string }) => boolean;
};

const NETWORK =
  /connection refused|no such host|i\/o timeout|TLS handshake|connection reset|network is unreachable|context deadline exceeded|unexpected EOF|x509:|server gave HTTP response to HTTPS client|Temporary failure in name resolution|50[0-4] (?:Internal Server Error|Bad Gateway|Service Unavailable|Gateway Time-?out)/i;
const DENIED =
  /push access denied|insufficient_scope|requested access to the resource is denied|permission_denied|denied:|authorization failed|authentication required|no basic auth credentials|unauthorized|401 Unauthorized|403 Forbidden|unexpected status: (?:401|403)/i;
const allOf = (...patterns: readonly RegExp[]): RegExp =>
  new RegExp(patterns.map(({ source }) => `(?=[^]*(?:${source}))`).join(''), 'i');

/** Every way a build is known to fail, with real BuildKit, buildx and docker messages as its source. */
export const FAILURES: readonly FailureEntry[] = [
  {
    pattern: /no space left on device/i,
    reason: 'disk-full',
    advice: 'Free disk space on the engine, with "docker system prune" or a larger runner.',
  },
  {
    pattern:
      /^(?:exporting (?:inline cache|cache|content cache|to GitHub Actions Cache)|failed to configure \S+ cache exporter|error writing (?:layer|manifest|config) blob|Cache export is not supported)/i,
    reason: 'cache-export',
    advice:
      'Add "ignore-error=true" to cache-to so that the image counts, or correct the cache\'s address and rights.',
    say: (_, cause) => `The cache could not be written: ${cause.split('\n')[0] ?? cause}`,
  },
  {
    pattern: /^unknown cache exporter: "([^"]*)"/,
    reason: 'argument',
    advice: 'Use type=registry, gha, local, inline, s3 or azblob in cache-to.',
  },
  {
    pattern: /Cannot connect to the Docker daemon at (\S+?)\. /,
    reason: 'engine-unreachable',
    advice: 'Start the Docker engine, or set DOCKER_HOST to one that runs.',
    say: (match) => `The Docker engine does not answer at ${match?.[1] ?? 'its address'}`,
  },
  {
    pattern: /permission denied while trying to connect to the docker/i,
    reason: 'engine-unreachable',
    advice: 'Run the job as a user in the group "docker".',
    say: () => "This user may not use the Docker engine's socket",
  },
  {
    pattern:
      /error during connect|failed to list workers|error reading from server: EOF|closing transport|transport is closing|^context deadline exceeded$|the daemon is not running|no valid drivers found/i,
    reason: 'engine-unreachable',
    advice:
      'Check that the builder runs with "docker buildx inspect --bootstrap" and read the engine\'s log.',
    say: (_, cause) => `The connection to BuildKit was lost: ${cause}`,
  },
  {
    pattern:
      /'buildx' is not a docker command|unknown command: docker buildx|^unknown (?:shorthand )?flag: (?:--progress|--metadata-file|--network|--tag|--file|'t' in -t|'f' in -f)/,
    reason: 'engine-unreachable',
    advice: 'Install the docker-buildx plugin, with docker/setup-buildx-action or from the distribution.',
    say: () => 'This Docker has no buildx',
  },
  {
    pattern: /invalid progress|unknown progress/i,
    reason: 'engine-unreachable',
    advice: 'Update it with docker/setup-buildx-action.',
    say: () => 'This buildx is older than 0.13 and can not report its progress',
  },
  {
    pattern: /^no builder "([^"]*)" found/,
    reason: 'argument',
    advice: 'Make it with docker/setup-buildx-action, or leave the input "builder" empty.',
    say: (match) => `Builder "${match?.[1] ?? ''}" does not exist`,
  },
  {
    pattern: /^dockerfile parse error on line (\d+): (.*)$/s,
    reason: 'dockerfile-syntax',
    advice: 'Correct the instruction.',
    say: (match) => `Dockerfile line ${match?.[1] ?? '?'} cannot be read: ${match?.[2] ?? ''}`,
  },
  {
    pattern:
      /^dockerfile parse error|^unknown instruction|^the Dockerfile \S* ?cannot be empty|file with no instructions|dockerfile contains no stages/i,
    reason: 'dockerfile-syntax',
    advice: 'Correct the Dockerfile.',
  },
  {
    pattern: /^failed to read dockerfile: open (.+): no such file or directory/,
    reason: 'dockerfile-missing',
    advice: 'Set the input "file" to its path, seen from the repository root.',
    say: (match, _, args) => `Dockerfile "${findFileArgument(args) ?? match?.[1] ?? ''}" does not exist`,
  },
  {
    pattern: /^resolve : lstat (.+): no such file or directory/,
    reason: 'dockerfile-missing',
    advice: 'Set the input "file" to its path, seen from the repository root.',
    say: (match, _, args) => `Dockerfile "${findFileArgument(args) ?? match?.[1] ?? ''}" does not exist`,
  },
  {
    pattern: /^unable to prepare context: path "(.*)" not found/,
    reason: 'file-missing',
    advice: 'Set the input "context" to a folder that exists; a checkout step must run before it.',
    say: (match) => `Build context "${match?.[1] ?? ''}" does not exist`,
  },
  {
    pattern: /^target stage "([^"]*)" could not be found|^failed to find target (\S+)/,
    reason: 'stage-missing',
    advice: 'Name a stage that a FROM … AS line defines.',
    say: (match) => `Stage "${match?.[1] ?? match?.[2] ?? ''}" does not exist`,
  },
  {
    pattern:
      /(?:failed to calculate checksum of ref \S+|failed to compute cache key)[^"]*: "?\/?([^"]+?)"?: not found/,
    reason: 'file-missing',
    advice: 'Add the file to the build context, or take it out of .dockerignore.',
    say: (match) => `"${match?.[1] ?? ''}" is not in the build context or stage it is copied from`,
  },
  {
    pattern: allOf(/failed to push|^pushing |error (?:pushing|copying)/, DENIED),
    reason: 'push-denied',
    advice: 'Log in to the registry first; on ghcr.io give the job "packages: write".',
    say: (_, cause) => `The registry refused the push: ${cause.replace(/^failed to push /, '')}`,
  },
  {
    pattern: DENIED,
    reason: 'push-denied',
    advice: 'Log in to the registry first; on ghcr.io give the job "packages: write".',
    isCause: ({ step }) => step?.kind === 'export',
    say: (_, cause) => `The registry refused the push: ${cause}`,
  },
  {
    pattern: /failed to load cache key: Get "([^"]+)": (.*)/s,
    reason: 'file-missing',
    advice: 'Check the address in the ADD instruction, then run the job again.',
    say: (match) => `ADD could not fetch ${match?.[1] ?? 'its source'}: ${match?.[2] ?? ''}`,
  },
  {
    pattern: allOf(/failed to resolve source metadata for|load metadata|pull access denied/, NETWORK),
    reason: 'registry-unreachable',
    advice: "Check the registry's address and that this machine can reach it, then run the job again.",
    say: (_, cause) => `The registry of a base image does not answer: ${cutMetadataPrefix(cause)}`,
  },
  {
    pattern: /^(\S+): failed to resolve source metadata for \S+: (?:.*: )?not found/,
    reason: 'stage-missing',
    advice: 'Name a stage that a FROM … AS line above it defines, or an image that can be pulled.',
    isCause: ({ line }) => /^\s*(COPY|ADD|RUN)\b.*\bfrom=/i.test(line),
    say: (match) => `"${match?.[1] ?? ''}" is neither a stage nor an image`,
  },
  {
    pattern: /(?:error fetching default branch for|failed to fetch remote) (?:repository )?(\S+?):? (.*)/s,
    reason: 'registry-unreachable',
    advice: 'Check its address and the token or key it needs, then run the job again.',
    say: (match) =>
      `Git repository ${match?.[1] ?? ''} cannot be read: ${(match?.[2] ?? '').replace(/^.*fatal: /s, '')}`,
  },
  {
    pattern:
      /failed to resolve source metadata for (\S+): (?:.*: )?not found|pull access denied|manifest unknown|no match for platform in manifest|failed to resolve source metadata for (\S+?): /,
    reason: 'base-image-missing',
    advice: "Correct the image's name, tag or platform, or log in to its registry.",
    say: (match, cause) => {
      const image = match?.[1] ?? match?.[2];
      const why = cutMetadataPrefix(cause);
      return image === undefined
        ? `A base image cannot be had: ${cause}`
        : `Image ${image} cannot be had: ${why.startsWith(image) ? why.slice(image.length).replace(/^: /, '') : why}`;
    },
  },
  {
    pattern: allOf(/failed to push|^pushing /, NETWORK),
    reason: 'registry-unreachable',
    advice: "Check the registry's address and that this machine can reach it, then run the job again.",
    say: (_, cause) => `The registry to push to does not answer: ${cause.replace(/^failed to push /, '')}`,
  },
  {
    pattern: NETWORK,
    reason: 'registry-unreachable',
    advice: 'Check the address and that this machine can reach it, then run the job again.',
    isCause: ({ step }) => step?.kind !== 'instruction' || step.keyword === 'FROM',
  },
  {
    pattern:
      /is not supported for the docker driver|not implemented for docker driver|Multi-platform build is not supported/i,
    reason: 'argument',
    advice:
      'Use a docker-container builder (docker/setup-buildx-action) or an engine with the containerd image store.',
    say: (_, cause) => cause.split('\n')[0] ?? cause,
  },
  {
    pattern:
      /^(?:unknown (?:shorthand )?flag|flag needs an argument|invalid argument|invalid tag|invalid BUILDX_|invalid key|invalid value|invalid field|failed to stat |exporter "|unknown entitlement|'docker buildx \w+' requires|.*(?:invalid reference format|requires exactly 1 argument|must be a key=value pair|: invalid argument$))/s,
    reason: 'argument',
    advice: 'Correct the input that gives this value.',
  },
];

/** What the caller gave as `--file`. */
function findFileArgument(args: readonly string[]): string | undefined {
  const at = args.findIndex((arg) => /^(--file|-f)(=|$)/.test(arg));
  const arg = args[at];
  if (arg === undefined) return undefined;
  return arg.includes('=') ? arg.slice(arg.indexOf('=') + 1) : args[at + 1];
}

function cutMetadataPrefix(cause: string): string {
  return cause.replace(/^.*failed to resolve source metadata for \S+?: (?=\S)/s, '');
}

/** What the exit code or the last output of a failed RUN tells beyond the bare failure. */
export const RUN_ADVICE: readonly {
  readonly isCause: (exitCode: number | undefined, output: readonly string[]) => boolean;
  readonly reason: FailureReason;
  readonly says: string;
  readonly advice: string;
}[] = [
  {
    isCause: (_, output) => output.some((line) => /no space left on device|ENOSPC/i.test(line)),
    reason: 'disk-full',
    says: ': no space left on device',
    advice: 'Free disk space on the engine, with "docker system prune" or a larger runner.',
  },
  {
    isCause: (exitCode) => exitCode === 137,
    reason: 'run-failed',
    says: ' (killed, mostly for lack of memory)',
    advice: 'Give the machine more memory, or lower how much the command does at once.',
  },
  {
    isCause: (exitCode) => exitCode === 127,
    reason: 'run-failed',
    says: ' (a program was not found)',
    advice: 'Install the program that the last output names in an earlier step.',
  },
  {
    isCause: (exitCode) => exitCode === 126,
    reason: 'run-failed',
    says: ' (a program may not be executed)',
    advice: 'Give the file that the last output names its executable bit.',
  },
];
