import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';
import * as z from 'zod/mini';

const scalar = z.union([z.string(), z.number(), z.boolean()]);

const metadataSchema = z.object({
  name: z.string(),
  inputs: z.optional(
    z.nullable(
      z.record(
        z.string(),
        z.nullable(
          z.object({
            default: z.optional(z.nullable(scalar)),
            required: z.optional(z.boolean()),
            deprecationMessage: z.optional(z.string()),
          }),
        ),
      ),
    ),
  ),
  runs: z.object({
    using: z.string().check(z.regex(/^node(20|24)$/, 'expected node20 or node24')),
    main: z.string(),
    pre: z.optional(z.string()),
    'pre-if': z.optional(scalar),
    post: z.optional(z.string()),
    'post-if': z.optional(scalar),
  }),
});

/** One declared input: its default is still an expression template. */
export interface InputDeclaration {
  readonly name: string;
  readonly defaultTemplate: string;
  readonly deprecationMessage: string | undefined;
}

/** What the runner reads from the `action.yml` of a JavaScript action. */
export interface ActionMetadata {
  readonly folder: string;
  readonly name: string;
  readonly nodeMajor: number;
  readonly inputs: readonly InputDeclaration[];
  readonly main: string;
  readonly pre: string | undefined;
  readonly preIf: string;
  readonly post: string | undefined;
  readonly postIf: string;
}

/**
 * Reads `action.yml` (or `action.yaml`) as the runner does, scripts resolved to absolute paths.
 *
 * @throws {Error} The file is missing, is not that of a JavaScript action, or names a script that is not there.
 */
export async function readActionMetadata(actionFolder: string): Promise<ActionMetadata> {
  const folder = path.resolve(actionFolder);
  const file = ['action.yml', 'action.yaml'].map((name) => path.join(folder, name)).find(existsSync);
  if (file === undefined) {
    throw new Error(`Can't find 'action.yml' or 'action.yaml' under '${folder}'. Build the action first.`);
  }
  const parsed = metadataSchema.safeParse(parse(await readFile(file, 'utf8')));
  if (!parsed.success) throw new Error(`${file} is not valid: ${z.prettifyError(parsed.error)}`);
  const { runs, inputs, name } = parsed.data;
  const script = (relative: string | undefined): string | undefined => {
    if (relative === undefined) return undefined;
    const absolute = path.join(folder, relative);
    if (!existsSync(absolute)) throw new Error(`File not found: '${absolute}'. Build the action first.`);
    return absolute;
  };
  return {
    folder,
    name,
    nodeMajor: Number(runs.using.slice('node'.length)),
    inputs: Object.entries(inputs ?? {}).map(([inputName, declaration]) => ({
      name: inputName,
      defaultTemplate: String(declaration?.default ?? ''),
      deprecationMessage: declaration?.deprecationMessage,
    })),
    main: script(runs.main) ?? '',
    pre: script(runs.pre),
    preIf: String(runs['pre-if'] ?? 'always()'),
    post: script(runs.post),
    postIf: String(runs['post-if'] ?? 'always()'),
  };
}
