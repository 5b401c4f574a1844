import { parseBoolean, parseFields } from '@sophia/action';
import { attribute } from './check-inputs.ts';
import type { BuildInputs } from './inputs.ts';

/** A secret made ready for buildx: `id=…,src=…` or `id=…,env=…`. */
export type SecretArgument = string;

/** What the arguments depend on beside the inputs. */
export type BuildFacts = {
  /** The Git context an empty `context` stands for. */
  readonly defaultContext: string;
  /** Where buildx writes the image ID. */
  readonly imageIdFile: string;
  /** Page of this attempt of the run: the `builder-id` of provenance. */
  readonly attemptUrl: string;
  readonly isRepositoryPrivate: boolean;
  /** Whether the builder makes attestations: BuildKit ≥ 0.11 on every node. */
  readonly canAttest: boolean;
  /** Value of BUILDX_NO_DEFAULT_ATTESTATIONS. */
  readonly noDefaultAttestations: string;
  readonly secrets: {
    readonly fromEnvironment: readonly SecretArgument[];
    readonly fromValues: readonly SecretArgument[];
    readonly fromFiles: readonly SecretArgument[];
    /** The token as a secret file, made only where `needsGitToken` says so. */
    readonly gitToken: SecretArgument | undefined;
  };
};

/** The build context the inputs name, with `{{defaultContext}}` filled in. */
export function resolveBuildContext(context: string, defaultContext: string): string {
  return context === '' ? defaultContext : fillDefaultContext(context, defaultContext) || defaultContext;
}

function fillDefaultContext(text: string, defaultContext: string): string {
  // Called with a function so that "$&" and the like in a branch's URL mean nothing.
  return text.replace(/\{\{\{?\s*defaultContext\s*\}\}\}?/g, () => defaultContext);
}

/**
 * Whether the token must be given to the build so that it can fetch the Git context: the context is the default
 * one or lies in it, and the user gave no token of their own.
 */
export function needsGitToken(inputs: BuildInputs, context: string, defaultContext: string): boolean {
  const hasOwnToken = inputs.secrets.some((secret) => secret.startsWith('GIT_AUTH_TOKEN='));
  return inputs['github-token'] !== '' && !hasOwnToken && context.startsWith(defaultContext);
}

/**
 * The arguments after `docker buildx`, in the order and by the rules of `docker/build-push-action` v7, without
 * `--metadata-file` and `--progress`, which `packages/buildkit` adds. One rule is this action's own:
 * `ignore-error=true` is added to a `cache-to` that doesn't set it, so that a cache that can't be written never
 * loses the digest of an image that was.
 */
export function toBuildxArguments(inputs: BuildInputs, facts: BuildFacts): readonly string[] {
  const context = resolveBuildContext(inputs.context, facts.defaultContext);
  const contexts = inputs['build-contexts'].map((item) => fillDefaultContext(item, facts.defaultContext));
  return [
    'build',
    ...each('--add-host', inputs['add-hosts']),
    ...each('--allow', inputs.allow),
    ...each('--annotation', inputs.annotations),
    ...each('--build-arg', inputs['build-args']),
    ...each('--build-context', contexts),
    ...each('--cache-from', inputs['cache-from']),
    ...each('--cache-to', inputs['cache-to'].map(tolerateCacheError)),
    ...given('--call', inputs.call),
    ...given('--cgroup-parent', inputs['cgroup-parent']),
    ...each('--secret', facts.secrets.fromEnvironment),
    ...given('--file', inputs.file),
    ...(hasOutputType(inputs.outputs, 'local') || hasOutputType(inputs.outputs, 'tar')
      ? []
      : ['--iidfile', facts.imageIdFile]),
    ...each('--label', inputs.labels),
    ...each('--no-cache-filter', inputs['no-cache-filters']),
    ...each('--output', inputs.outputs),
    ...given('--platform', inputs.platforms.join(',')),
    ...each('--attest', toAttestations(inputs, facts)),
    ...each('--secret', facts.secrets.fromValues),
    ...each('--secret', facts.secrets.fromFiles),
    ...given('--secret', facts.secrets.gitToken ?? ''),
    ...given('--shm-size', inputs['shm-size']),
    ...each('--ssh', inputs.ssh),
    ...each('--tag', inputs.tags),
    ...given('--target', inputs.target),
    ...each('--ulimit', inputs.ulimit),
    ...given('--builder', inputs.builder),
    ...(inputs.load ? ['--load'] : []),
    ...given('--network', inputs.network),
    ...(inputs['no-cache'] ? ['--no-cache'] : []),
    ...(inputs.pull ? ['--pull'] : []),
    ...(inputs.push ? ['--push'] : []),
    context,
  ];
}

function each(flag: string, values: readonly string[]): readonly string[] {
  return values.flatMap((value) => [flag, value]);
}

function given(flag: string, value: string): readonly string[] {
  return value === '' ? [] : [flag, value];
}

/** Whether any of the outputs is of the type; one without a type is a local folder, as buildx has it. */
export function hasOutputType(outputs: readonly string[], type: string): boolean {
  return outputs.some((output) => {
    const fields = parseFields('outputs', output);
    const isBare = fields.length === 1 && !(fields[0] ?? '').startsWith('type=');
    return (isBare ? 'local' : attribute(fields, 'type')) === type;
  });
}

function tolerateCacheError(item: string): string {
  const fields = parseFields('cache-to', item);
  if (attribute(fields, 'ignore-error') !== undefined || attribute(fields, 'type') === 'inline') return item;
  const isReference = fields.length === 1 && !(fields[0] ?? '').includes('=');
  return isReference ? `type=registry,ref=${item},ignore-error=true` : `${item},ignore-error=true`;
}

function toAttestations(inputs: BuildInputs, facts: BuildFacts): readonly string[] {
  const isProvenanceInAttests = inputs.attests.some((item) => attestationType(item) === 'provenance');
  return [
    ...toProvenance(inputs, facts, isProvenanceInAttests),
    ...(inputs.sbom === '' ? [] : [normalizeAttestation(`type=sbom,${inputs.sbom}`)]),
    ...inputs.attests.flatMap((item) => {
      switch (attestationType(item)) {
        case 'provenance':
          return inputs.provenance === '' ? [withBuilderId(item, facts.attemptUrl)] : [];
        case 'sbom':
          return inputs.sbom === '' ? [item] : [];
        default:
          return [normalizeAttestation(item)];
      }
    }),
  ];
}

function toProvenance(inputs: BuildInputs, facts: BuildFacts, isInAttests: boolean): readonly string[] {
  if (inputs.provenance !== '') {
    const attributes = isYamlBoolean(inputs.provenance)
      ? parseBoolean('provenance', inputs.provenance)
        ? `builder-id=${facts.attemptUrl}`
        : 'false'
      : withBuilderId(inputs.provenance, facts.attemptUrl);
    return [normalizeAttestation(`type=provenance,${attributes}`)];
  }
  const isLoaded = inputs.load || hasOutputType(inputs.outputs, 'docker');
  if (isInAttests || isLoaded || !facts.canAttest || parseGoBoolean(facts.noDefaultAttestations)) return [];
  const mode = facts.isRepositoryPrivate ? 'mode=min,inline-only=true' : 'mode=max';
  return [`type=provenance,${withBuilderId(mode, facts.attemptUrl)}`];
}

function attestationType(item: string): string | undefined {
  return attribute(parseFields('attests', item), 'type');
}

function withBuilderId(attributes: string, attemptUrl: string): string {
  const hasOne = attribute(parseFields('provenance', attributes), 'builder-id') !== undefined;
  return hasOne ? attributes : `${attributes},builder-id=${attemptUrl}`;
}

/** buildx takes a lone boolean as `disabled=<its opposite>` in `--provenance` and `--sbom`, but not in `--attest`. */
function normalizeAttestation(item: string): string {
  return parseFields('attests', item)
    .map((field) => field.trim())
    .map((field) => {
      const value = parseGoBoolean(field);
      return value === undefined ? field : `disabled=${!value}`;
    })
    .join(',');
}

function isYamlBoolean(text: string): boolean {
  return /^(true|True|TRUE|false|False|FALSE)$/.test(text);
}

/** Go's strconv.ParseBool; undefined for anything else. */
function parseGoBoolean(text: string): boolean | undefined {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  return undefined;
}
