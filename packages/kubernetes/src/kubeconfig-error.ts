import { MAX_MESSAGE_CHARACTERS, toOneLine } from './plain-text.ts';

/**
 * The kubeconfig doesn't say how to reach a cluster: it isn't there, can't be read, or its parts don't fit together.
 * The message is one line without credentials, fit for an annotation.
 */
export class KubeconfigError extends Error {
  override readonly name = 'KubeconfigError';
  readonly system = 'the kubeconfig';
  readonly operation = 'find the cluster and its user';
  readonly isTemporary = false;

  constructor(message: string, cause?: unknown) {
    super(toOneLine(message, MAX_MESSAGE_CHARACTERS), cause === undefined ? undefined : { cause });
  }
}
