import type { Builder } from '@sophia/buildkit';

/**
 * Whether a default provenance attestation may be asked of the builder: BuildKit ≥ 0.11 on every node, and in the
 * Docker engine only where it names its BuildKit `…-moby`, by the rule of `docker/build-push-action`.
 * A node that isn't running tells no version; it then counts as able, because every BuildKit of the last years is.
 */
export function canAttest({ driver, nodes }: Builder): boolean {
  return nodes.every(({ buildkitVersion }) => {
    if (driver === 'docker' && !(buildkitVersion ?? '').endsWith('-moby')) return false;
    if (buildkitVersion === undefined || buildkitVersion === '') return true;
    const [, major = '0', minor = '0'] = /^v?(\d+)\.(\d+)/.exec(buildkitVersion) ?? [];
    return Number(major) > 0 || Number(minor) >= 11;
  });
}
