import * as z from 'zod/mini';

/** What an index or a manifest of the OCI image specification 1.1 says that these tests compare with. */
const manifestSchema = z.object({
  mediaType: z.optional(z.string()),
  config: z.optional(z.object({ digest: z.string(), size: z.number() })),
  layers: z.optional(z.array(z.object({ digest: z.string(), size: z.number() }))),
  manifests: z.optional(
    z.array(
      z.object({
        digest: z.string(),
        platform: z.optional(z.object({ os: z.string(), architecture: z.string() })),
      }),
    ),
  ),
});
type PushedManifest = z.infer<typeof manifestSchema>;

const ACCEPT = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

function split(reference: string): { readonly base: string; readonly tag: string } {
  const [, host, repository, tag] = /^([^/]+)\/(.+):([^:/]+)$/.exec(reference) ?? [];
  return { base: `http://${host}/v2/${repository}`, tag: tag ?? '' };
}

/** The digest a registry answers to a bare HEAD, read by nothing of ours. */
export async function readPushedDigest(reference: string): Promise<string | null> {
  const { base, tag } = split(reference);
  const answer = await fetch(`${base}/manifests/${tag}`, { method: 'HEAD', headers: { accept: ACCEPT } });
  return answer.headers.get('docker-content-digest');
}

/** @param name A digest; the reference's tag when left out. */
async function readPushedManifest(reference: string, name?: string): Promise<PushedManifest> {
  const { base, tag } = split(reference);
  const answer = await fetch(`${base}/manifests/${name ?? tag}`, { headers: { accept: ACCEPT } });
  return manifestSchema.parse(await answer.json());
}

/** The manifests of an image's platforms, without its attestations. */
export async function readPushedPlatforms(
  reference: string,
): Promise<
  readonly { readonly platform: string; readonly digest: string; readonly manifest: PushedManifest }[]
> {
  const index = await readPushedManifest(reference);
  const images = (index.manifests ?? []).filter(({ platform }) => platform?.os !== 'unknown');
  return Promise.all(
    images.map(async ({ digest, platform }) => ({
      platform: `${platform?.os}/${platform?.architecture}`,
      digest,
      manifest: await readPushedManifest(reference, digest),
    })),
  );
}

/** What a pull transfers: the configuration and the layers. */
export const sizeOf = ({ config, layers }: PushedManifest): number =>
  (config?.size ?? 0) + (layers ?? []).reduce((sum, { size }) => sum + size, 0);

const configSchema = z.object({ config: z.object({ Labels: z.optional(z.record(z.string(), z.string())) }) });

/** The labels of a pushed image, from its configuration as the OCI image specification has it. */
export async function readPushedLabels(reference: string): Promise<Readonly<Record<string, string>>> {
  const [first] = await readPushedPlatforms(reference);
  const manifest = first?.manifest ?? (await readPushedManifest(reference));
  const answer = await fetch(`${split(reference).base}/blobs/${manifest.config?.digest}`);
  return configSchema.parse(await answer.json()).config.Labels ?? {};
}
