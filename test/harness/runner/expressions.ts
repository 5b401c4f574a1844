import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { data, Evaluator, Lexer, Parser } from '@actions/expressions';
import type { FunctionDefinition } from '@actions/expressions/funcs/info';

/** Where a job or step stands when an expression is evaluated. */
export type JobStatus = 'success' | 'failure' | 'cancelled';

/** The values an expression may name: `github`, `runner`, `job`, `env`, `steps`, `inputs`, `secrets` … */
export type ExpressionContext = Readonly<Record<string, unknown>>;

const statusFunctionNames = /\b(always|success|failure|cancelled)\s*\(/iu;

function statusFunction(name: string, holds: boolean): FunctionDefinition {
  return { name, minArgs: 0, maxArgs: 0, call: () => new data.BooleanData(holds) };
}

function hashFiles(workspace: string): FunctionDefinition {
  return {
    name: 'hashFiles',
    minArgs: 1,
    maxArgs: 255,
    call: (...patterns) => {
      const files = [
        ...new Set(patterns.flatMap((pattern) => globSync(pattern.coerceString(), { cwd: workspace }))),
      ];
      if (files.length === 0) return new data.StringData('');
      const whole = createHash('sha256');
      for (const file of files.sort()) {
        whole.update(
          createHash('sha256')
            .update(readFileSync(path.join(workspace, file)))
            .digest(),
        );
      }
      return new data.StringData(whole.digest('hex'));
    },
  };
}

function functionsFor(status: JobStatus, workspace: string): FunctionDefinition[] {
  return [
    statusFunction('always', true),
    statusFunction('success', status === 'success'),
    statusFunction('failure', status === 'failure'),
    statusFunction('cancelled', status === 'cancelled'),
    hashFiles(workspace),
  ];
}

function toData(value: unknown): data.ExpressionData {
  return JSON.parse(JSON.stringify(value ?? null), data.reviver) as data.ExpressionData;
}

function evaluate(expression: string, context: ExpressionContext, status: JobStatus, workspace: string) {
  const functions = functionsFor(status, workspace);
  const tree = new Parser(new Lexer(expression).lex().tokens, Object.keys(context), functions).parse();
  const root = new data.Dictionary(
    ...Object.entries(context).map(([key, value]) => ({ key, value: toData(value) })),
  );
  return new Evaluator(
    tree,
    root,
    new Map(functions.map((definition) => [definition.name.toLowerCase(), definition])),
  ).evaluate();
}

/**
 * Evaluates every `${{ … }}` in a text with GitHub's own expression evaluator, as the runner does for
 * an input's default or a step's `with:`.
 */
export function evaluateTemplate(
  template: string,
  context: ExpressionContext,
  status: JobStatus,
  workspace: string,
): string {
  return template.replace(/\$\{\{((?:'[^']*'|[^'])*?)\}\}/gu, (_, expression: string) =>
    evaluate(expression, context, status, workspace).coerceString(),
  );
}

/**
 * Evaluates an `if:`: the braces are optional, and a condition that asks for no status means
 * `success() && (…)`.
 */
export function evaluateCondition(
  condition: string,
  context: ExpressionContext,
  status: JobStatus,
  workspace: string,
): boolean {
  const bare = condition.trim().replace(/^\$\{\{([\s\S]*)\}\}$/u, '$1');
  const whole = statusFunctionNames.test(bare) ? bare : `success() && (${bare === '' ? 'true' : bare})`;
  const result = evaluate(whole, context, status, workspace);
  return result.coerceString() !== '' && !['false', '0', 'null'].includes(result.coerceString());
}
