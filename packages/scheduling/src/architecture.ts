/** A platform of an image index, as OCI writes it: `linux/arm64`, `linux/arm/v7`. */
export type ImagePlatforms = {
  /** The reference, for the message. */
  readonly image: string;
  /** All that the index lists; a single-platform image has one. Empty when unknown. */
  readonly platforms: readonly string[];
};

/**
 * Finds the images that have nothing to run on a node. The scheduler never looks at this: such a Pod is placed and
 * then fails to pull, or dies with `exec format error`.
 *
 * @param images Of all containers of the Pod.
 * @param node `kubernetes.io/os` and `kubernetes.io/arch` of the node.
 */
export function findForeignImages(
  images: readonly ImagePlatforms[],
  node: { readonly os: string; readonly architecture: string },
): readonly ImagePlatforms[] {
  return images.filter(
    ({ platforms }) =>
      platforms.length > 0 &&
      !platforms.some((platform) => {
        const [os, architecture] = platform.split('/');
        return os === node.os && architecture === node.architecture;
      }),
  );
}
