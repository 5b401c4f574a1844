import { isIP } from 'node:net';
import { findNearest, InputError, parseFields, quoteValue } from '@sophia/action';
import { InvalidReferenceError, parseReference } from '@sophia/registry';
import type { BuildInputs } from './inputs.ts';

/** Says what is wrong with an item, as the end of a sentence that names it; undefined for a good one. */
type ItemCheck = (item: string) => string | undefined;

/** With the input's name and the item's number before it, a message stays within 200 characters. */
const MAX_FINDING_CHARACTERS = 165;

const BUILD_METHODS = ['build', 'check', 'lint', 'outline', 'targets'];
const OUTPUT_TYPES = ['local', 'tar', 'oci', 'docker', 'image', 'registry', 'cacheonly'];
const CACHE_TYPES = ['registry', 'local', 'gha', 'inline', 's3', 'azblob'];
const NETWORK_MODES = ['default', 'none', 'host'];
const ENTITLEMENTS = ['network.host', 'security.insecure', 'device'];
const ATTESTATION_TYPES = ['provenance', 'sbom'];

// The names of docker/go-units, ulimit.go.
const ULIMITS =
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(
    ' ',
  );

// What containerd/platforms normalises or Go can target.
const OPERATING_SYSTEMS = 'linux windows darwin freebsd netbsd openbsd wasip1 wasi macos'.split(' ');
const ARCHITECTURES =
  'amd64 arm64 arm 386 ppc64le ppc64 riscv64 s390x mips mipsle mips64 mips64le loong64 wasm x86_64 x86-64 aarch64 armhf armel i386'.split(
    ' ',
  );

/**
 * Checks what buildx would refuse only after it was started, so that a wrong value costs no docker call.
 * Whatever buildx takes is let through.
 *
 * @throws {InputError} For the first wrong item. It quotes an item only where the item can't be a secret.
 */
export function checkInputs(inputs: BuildInputs): void {
  checkItems('add-hosts', inputs['add-hosts'], checkHost);
  checkItems('allow', inputs.allow, checkEntitlement);
  checkItems('annotations', inputs.annotations, checkAnnotation);
  checkItems('attests', inputs.attests, checkAttestation);
  checkItems('build-args', inputs['build-args'], checkName('NAME=value or NAME'));
  checkItems('build-contexts', inputs['build-contexts'], checkPair('name=path or name=URL'));
  checkItems('cache-from', inputs['cache-from'], checkCache('cache-from'));
  checkItems('cache-to', inputs['cache-to'], checkCache('cache-to'));
  checkItems('call', split(inputs.call), checkCall);
  checkItems('context', split(inputs.context), checkContext);
  checkItems('labels', inputs.labels, checkName('key=value'));
  checkItems('network', split(inputs.network), checkNetwork);
  checkItems('outputs', inputs.outputs, checkOutput);
  checkItems('platforms', inputs.platforms, checkPlatform);
  checkItems('provenance', split(inputs.provenance), checkProvenance);
  checkItems('sbom', split(inputs.sbom), checkSbom);
  checkItems('shm-size', split(inputs['shm-size']), checkMemory);
  checkItems('tags', inputs.tags, checkTag);
  checkItems('ulimit', inputs.ulimit, checkUlimit);
}

function split(value: string): readonly string[] {
  return value === '' ? [] : [value];
}

function checkItems(input: string, items: readonly string[], check: ItemCheck): void {
  items.forEach((item, index) => {
    const problem = check(item);
    if (problem === undefined) return;
    const where = items.length > 1 ? `Input "${input}", item ${index + 1},` : `Input "${input}"`;
    throw new InputError(`${where} ${problem}`);
  });
}

function finding(observed: string, expected: string, nearest?: string): string {
  const hint = nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
  return `${observed}: expected ${expected}.${hint}`;
}

/** @param verb What the item does with the value: it is it, or has it as its type or name. */
function notOneOf(verb: string, value: string, words: readonly string[]): string | undefined {
  if (words.includes(value)) return undefined;
  const listed = words.map((word) => `"${word}"`).join(', ');
  return finding(`${verb} ${quoteValue(value)}`, `one of ${listed}`, findNearest(value, words));
}

const checkHost: ItemCheck = (item) => {
  const match = /^([^:=\s]+)[:=](.+)$/.exec(item);
  const address = (match?.[2] ?? '').replace(/^\[(.*)\]$/, '$1');
  if (address === 'host-gateway' || isIP(address) !== 0) return undefined;
  return finding(`is ${quoteValue(item)}`, 'host:IP, such as docker:10.180.0.1');
};

const checkEntitlement: ItemCheck = (item) => notOneOf('is', item.split('=')[0] ?? '', ENTITLEMENTS);

const checkAnnotation: ItemCheck = (item) => {
  const [key = ''] = item.split('=');
  if (item.includes('=') && key.replace(/^[^:]*:/, '') !== '') return undefined;
  return finding(`is ${quoteValue(item)}`, 'key=value, or a level before it such as index:key=value');
};

const checkAttestation: ItemCheck = (item) => {
  const type = attribute(parseFields('attests', item), 'type');
  if (type === undefined) return finding(`is ${quoteValue(item)}`, 'a type, such as type=sbom');
  return notOneOf('has type', type, ATTESTATION_TYPES);
};

/** For items whose value may be a secret: only the name is looked at, and nothing is quoted. */
function checkName(form: string): ItemCheck {
  return (item) =>
    item.startsWith('=') || item === '' ? finding('has no name before its "="', form) : undefined;
}

function checkPair(form: string): ItemCheck {
  return (item) => (/^[^=]+=./s.test(item) ? undefined : finding(`is ${quoteValue(item)}`, form));
}

function checkCache(input: string): ItemCheck {
  return (item) => {
    const fields = parseFields(input, item);
    // A lone value is a reference, short for type=registry,ref=…
    if (fields.length === 1 && !(fields[0] ?? '').includes('=')) return undefined;
    const type = attribute(fields, 'type');
    if (type === undefined) return finding('has no type', `type=registry, type=gha or another`);
    if (type === 'registry' && attribute(fields, 'ref') === undefined) {
      return finding('has type=registry and no ref', 'type=registry,ref=ghcr.io/owner/app:cache');
    }
    return notOneOf('has type', type, CACHE_TYPES);
  };
}

const checkCall: ItemCheck = (item) => {
  const [method = ''] = item.split(',');
  return notOneOf('is', method, BUILD_METHODS);
};

const checkContext: ItemCheck = (item) =>
  item.startsWith('-')
    ? finding(`is ${quoteValue(item)}`, 'a folder or a URL, not an option or standard input')
    : undefined;

const checkNetwork: ItemCheck = (item) => notOneOf('is', item, NETWORK_MODES);

const checkOutput: ItemCheck = (item) => {
  const fields = parseFields('outputs', item);
  // A lone value is a folder, or "-" for a tar on standard output.
  if (fields.length === 1 && !(fields[0] ?? '').startsWith('type=')) return undefined;
  const type = attribute(fields, 'type');
  if (type === undefined) return finding(`is ${quoteValue(item)}`, 'a type, such as type=local,dest=out');
  return notOneOf('has type', type, OUTPUT_TYPES);
};

const checkPlatform: ItemCheck = (item) => {
  const form = 'os/architecture, such as linux/amd64 or linux/arm/v7';
  const parts = item.toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.()-]+$/.test(part))) {
    return finding(`is ${quoteValue(item)}`, form);
  }
  if (parts.length === 1) {
    const words = ['local', ...OPERATING_SYSTEMS, ...ARCHITECTURES];
    return words.includes(item)
      ? undefined
      : finding(`is ${quoteValue(item)}`, form, findNearest(item, words));
  }
  const [system = '', architecture = '', ...variant] = parts;
  const isSystem = OPERATING_SYSTEMS.includes(system.replace(/\(.*\)$/, ''));
  if (isSystem && ARCHITECTURES.includes(architecture)) return undefined;
  const nearest = [
    isSystem ? system : (findNearest(system, OPERATING_SYSTEMS) ?? system),
    findNearest(architecture, ARCHITECTURES) ?? architecture,
    ...variant,
  ].join('/');
  return finding(`is ${quoteValue(item)}`, form, nearest === item ? undefined : nearest);
};

const checkProvenance: ItemCheck = (item) => {
  const fields = parseFields('provenance', item);
  const unclear = findUnclearField(fields, 'mode=max');
  if (unclear !== undefined) return unclear;
  const mode = attribute(fields, 'mode');
  if (mode === undefined || mode === 'min' || mode === 'max') return undefined;
  return finding(`has mode=${quoteValue(mode)}`, 'mode=min or mode=max', findNearest(mode, ['min', 'max']));
};

const checkSbom: ItemCheck = (item) =>
  findUnclearField(parseFields('sbom', item), 'generator=docker/scout-sbom-indexer');

/** buildx takes a boolean, in any of Go's spellings, or `name=value`. */
function findUnclearField(fields: readonly string[], example: string): string | undefined {
  const unclear = fields.find(
    (field) => !field.includes('=') && !/^\s*(1|0|t|f|true|false)\s*$/i.test(field),
  );
  if (unclear === undefined) return undefined;
  return finding(
    `is ${quoteValue(unclear)}`,
    `true, false or attributes such as ${example}`,
    findNearest(unclear, ['true', 'false']),
  );
}

// docker/go-units RAMInBytes.
const checkMemory: ItemCheck = (item) =>
  /^\d+(\.\d+)?\s?([kmgtp]?i?b?)$/i.test(item)
    ? undefined
    : finding(`is ${quoteValue(item)}`, 'a size such as 64m or 2g');

const checkTag: ItemCheck = (item) => {
  try {
    return parseReference(item).digest === undefined
      ? undefined
      : finding(`is ${quoteValue(item)}`, 'a reference without a digest: the build gives the digest');
  } catch (error) {
    if (!(error instanceof InvalidReferenceError)) throw error;
    const reason = `${error.problem}. ${error.fix}`;
    const whole = `is ${quoteValue(item)}, which ${reason}`;
    // The reason itself quotes the part that is wrong.
    return whole.length <= MAX_FINDING_CHARACTERS ? whole : reason;
  }
};

const checkUlimit: ItemCheck = (item) => {
  const [, name = '', soft = '', hard] = /^([^=]*)=(-?\d+)(?::(-?\d+))?$/.exec(item) ?? [];
  if (name === '') return finding(`is ${quoteValue(item)}`, 'name=soft:hard, such as nofile=1024:2048');
  if (!ULIMITS.includes(name)) {
    return finding(
      `limits ${quoteValue(name)}`,
      'a name such as nofile, nproc or memlock',
      findNearest(name, ULIMITS),
    );
  }
  const isAbove =
    hard !== undefined && Number(hard) !== -1 && (Number(soft) > Number(hard) || Number(soft) === -1);
  return isAbove ? finding(`is ${quoteValue(item)}`, 'a soft limit no higher than the hard one') : undefined;
};

/** The value of `name=…` among the fields of a CSV item. */
export function attribute(fields: readonly string[], name: string): string | undefined {
  const field = fields.find((candidate) => candidate.trim().toLowerCase().startsWith(`${name}=`));
  return field?.slice(field.indexOf('=') + 1).trim();
}
