import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parsePhaseFile } from './phase-file.ts';

const example = readFileSync(new URL('./fixtures/phase-1-example.yml', import.meta.url), 'utf8');

/** The problems as `line:column message`. */
function problemsOf(text: string): readonly string[] {
  const parsed = parsePhaseFile(text);
  return parsed.kind === 'phase'
    ? []
    : parsed.problems.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

/** The example with one piece of text exchanged, which must be in it. */
function exampleWith(from: string, to: string): string {
  expect(example).toContain(from);
  return example.replace(from, () => to);
}

/** A small phase that is valid as it stands. */
const small = `apiVersion: migration.sophia.ai/v1alpha1
kind: Phase
metadata: { name: phase-9 }
spec:
  window: { start: "2026-12-01T00:00:00Z", duration: 14d }
  evidence: { maxAge: 6h }
  dataSources:
    - { name: prom, kind: prometheus, address: "https://prom.example" }
  metrics:
    - name: up
      provider: { prometheus: { dataSource: prom, query: 'min(up)' } }
      target: { op: "==", value: 1, unit: ratio }
  decision: { require: all, onInconclusive: hold(6h) }
`;

describe('a phase file', () => {
  it('is read whole: the example of the format', () => {
    const parsed = parsePhaseFile(example);
    if (parsed.kind !== 'phase') throw new Error(JSON.stringify(parsed.problems));
    const { phase } = parsed;
    expect({ ...phase, criteria: [], dataSources: [], tasks: [] }).toEqual({
      name: 'phase-1',
      displayName: 'Quick wins (weeks 1-2)',
      window: { startMs: Date.UTC(2026, 11, 1), durationMs: 14 * 86_400_000 },
      evidence: { maxAgeMs: 6 * 3_600_000, maxClockSkewMs: 30_000 },
      dependsOn: [],
      budgets: [{ name: 'inference-usd', limit: 250, unit: 'usd', per: 30 * 86_400_000 }],
      dataSources: [],
      tasks: [],
      criteria: [],
      decision: { multiplicity: 'holm' },
    });
    expect(
      phase.criteria.map(({ name, estimator, question }) => [name, estimator.kind, question.kind]),
    ).toEqual([
      ['inference-cost', 'ratio-to-baseline', 'ledger'],
      ['cold-starts', 'binomial', 'ratio'],
      ['usage-metered', 'coverage', 'ledger'],
      ['build-time-source-change', 'median-ratio', 'builds'],
      ['build-time-unchanged', 'quantile', 'builds'],
      ['image-size', 'max-per-image', 'builds'],
      ['non-root', 'all', 'builds'],
      ['gpu-utilization', 'mean', 'range'],
      ['gpu-labels', 'value', 'cluster'],
      ['dcgm-coverage', 'value', 'query'],
    ]);
    expect(phase.criteria[7]).toEqual({
      name: 'gpu-utilization',
      isKeyObjective: false,
      source: 'prom',
      question: {
        kind: 'range',
        query: 'avg by (UUID) (gpu:utilization:ratio)',
        durationMs: 7 * 86_400_000,
        stepMs: 60_000,
      },
      estimator: { kind: 'mean' },
      confidence: 0.95,
      method: 'clopper-pearson',
      strata: [],
      target: { operator: '>=', value: 0.8, unit: 'ratio' },
      minSamples: 400,
      minCoverage: 0.95,
      minDurationMs: 7 * 86_400_000,
      series: { aggregate: 'mean', by: 'UUID', expect: 5 },
      baseline: undefined,
      missing: 'inconclusive',
    });
  });

  it('holds an undecided phase back for a time, where it says so', () => {
    const parsed = parsePhaseFile(small);
    expect(parsed.kind === 'phase' && parsed.phase.decision).toEqual({
      multiplicity: 'none',
      recheckAfterMs: 6 * 3_600_000,
    });
  });

  it('has every problem named at once, each at its place', () => {
    const text = small
      .replace('maxAge: 6h', 'maxAge: 6 hours')
      .replace('kind: prometheus', 'kind: promtheus')
      .replace('op: "=="', 'op: "=>"')
      .replace('require: all', 'require: all, multiplicty: holm');
    expect(problemsOf(text)).toEqual([
      '6:23 spec.evidence.maxAge is "6 hours": expected a time such as "90s", "6h" or "14d".',
      '8:27 spec.dataSources[0].kind is "promtheus": expected one of "prometheus", "build-history", "cost-ledger", "cluster-snapshot". Did you mean "prometheus"?',
      '12:21 spec.metrics[0].target.op is "=>": expected one of "<", "<=", ">", ">=", "==", "!=".',
      '13:29 spec.decision.multiplicty is not a field: expected one of require, onInconclusive, multiplicity. Did you mean "multiplicity"?',
    ]);
  });

  // What the fields break together. The message alone; places are tested above.
  it.each([
    [
      '{ name: gpu-labels, dataSource: cluster, check',
      '{ name: gpu-labels, dataSource: clster, check',
      'spec.metrics[8].dataSource is "clster": expected one of spec.dataSources, "prom", "builds", "ledger", "cluster". Did you mean "cluster"?',
    ],
    [
      'op: ">=", value: 0.80',
      'op: ">=", value: 80',
      'spec.metrics[7].target.value is 80: expected a ratio from 0 to 1. Write 0.8 if it is a percentage.',
    ],
    [
      "'avg by (UUID) (gpu:utilization:ratio)'",
      "'avg by (UUID) (DCGM_FI_DEV_GPU_UTIL)'",
      'spec.metrics[7].provider.prometheus.query asks for DCGM_FI_DEV_GPU_UTIL, which is in percent: expected a ratio. Divide it by 100.',
    ],
    [
      "'avg by (UUID) (gpu:utilization:ratio)'",
      "'avg by (UUID) (gpu:utilization:ratio) or vector(0)'",
      'spec.metrics[7].provider.prometheus.query has "or vector(…)", which makes up an answer where there is none. Remove it; "absentMeansZero" says when nothing means 0.',
    ],
    [
      'confidence: 0.95, side: lower',
      'confidence: 0.95, side: upper',
      'spec.metrics[7].statistic.side is "upper": expected "lower", the limit that a target of ">=" is shown by.',
    ],
    [
      'estimator: p90',
      'estimator: p0',
      'spec.metrics[4].statistic.estimator is "p0": expected one of "value", "mean", "time-weighted-mean", "median", "p90" (or another percentile), "min", "max", "count", "all", "max-per-image", "coverage", "binomial", "median-ratio", "ratio-to-baseline".',
    ],
    [
      'estimator: max-per-image',
      'estimator: binomial',
      'spec.metrics[5].statistic.estimator is "binomial": expected for a data source of kind "build-history" one of "mean", "p90", "min", "max", "count", "all", "max-per-image", "median-ratio".',
    ],
    [
      'method: wilson',
      'method: block-bootstrap',
      'spec.metrics[1].statistic.method is "block-bootstrap": expected for "binomial" "wilson" or "clopper-pearson".',
    ],
    [
      '      scope: { lines: [inference] }          # never "total" by accident\n',
      '',
      'spec.metrics[0] has no "scope": expected the ledger lines it sums. Add scope: { lines: […] }.',
    ],
    [
      '      baseline: { kind: build-history, ref: baseline-2026-11 }\n',
      '',
      'spec.metrics[3] has no "baseline": expected one, because "median-ratio" compares with it. Add it.',
    ],
    [
      'verify: [gpu-utilization,',
      'verify: [gpu-utilisation,',
      'spec.tasks[2].verify[0] is "gpu-utilisation": expected the name of a metric in spec.metrics. Did you mean "gpu-utilization"?',
    ],
    [
      'value: 0.999, unit: ratio',
      'value: 0.999',
      'spec.metrics[2].target has no "unit": expected one, so that percent is not taken for a ratio. Add it.',
    ],
    [
      'step: 60s',
      'step: 1s',
      'spec.metrics[7].provider.prometheus.rangeQuery.step gives 604800 steps: expected 1 to 11000.',
    ],
    [
      'minDuration: 7d',
      'minDuration: 8d',
      'spec.metrics[7].minDuration is longer than the range asked for: no answer could be enough. Ask for a longer range.',
    ],
    [
      'for: bad,',
      'for: good,',
      'spec.metrics[1].absentMeansZero.for is "good", but the metric asks for no such part.',
    ],
    [
      'value: 1200000000',
      'value: "1.2GB"',
      'spec.metrics[5].target.value is the text "1.2GB": expected a number; only the estimator "all" compares text.',
    ],
    [
      'address: "https://prom.example"',
      'address: "https://me:secret@prom.example"',
      'spec.dataSources[0].address is not usable: expected an http or https address without a user name.',
    ],
    [
      'path: evidence/cluster.json',
      'path: ../../etc/passwd',
      'spec.dataSources[3].path is "../../etc/passwd": expected a path in the repository, relative and without "..".',
    ],
  ])('is refused where %j becomes %j', (from, to, expected) => {
    expect(problemsOf(exampleWith(from, to)).map((problem) => problem.replace(/^\d+:\d+ /, ''))).toEqual([
      expected,
    ]);
  });

  it('has each name once', () => {
    expect(problemsOf(exampleWith('id: "1.3"', 'id: "1.1"'))).toEqual([
      '20:13 spec.tasks[2].id is "1.1", as that of another: expected each once.',
    ]);
  });

  // Read as one thing by YAML 1.1 and as another by YAML 1.2 (https://yaml.org/type/, YAML 1.2.2 section 10.3).
  it.each(['1.2e9', '1_200', '0o17', '017', '0x1F', '1:30', '.inf', '.NaN', 'on', 'No', '2026-12-01', '+1'])(
    'is refused where readers of YAML differ on %s',
    (value) => {
      const text = small.replace('value: 1,', `value: ${value},`);
      expect(problemsOf(text)).toEqual([
        expect.stringMatching(
          /^12:34 The value ".*" means different things to different readers of YAML: expected /,
        ),
      ]);
      expect(problemsOf(small.replace('name: phase-9', `name: phase-9, displayName: "${value}"`))).toEqual(
        [],
      );
    },
  );

  const bomb = [
    'a: &a [x]',
    ...'bcdefghij'
      .split('')
      .map(
        (letter, index) => `${letter}: &${letter} [${'*'.concat('abcdefghij'[index] ?? '', ',').repeat(9)}]`,
      ),
  ].join('\n');
  it.each([
    ['nothing', '', ['1:1 The file is empty: expected a phase.']],
    ['a comment', '# later', ['1:1 The file is empty: expected a phase.']],
    [
      '1 MB',
      `${small}# ${'x'.repeat(1 << 20)}`,
      [expect.stringMatching(/^1:1 The file has \d+ characters: expected at most 262144\.$/)],
    ],
    [
      'levels without end',
      '['.repeat(100_000),
      [expect.stringMatching(/^1:1 The file nests too deeply|^1:\d+ The file is not YAML here/), ...[]],
    ],
    [
      'two documents',
      `${small}---\n${small}`,
      [expect.stringMatching(/^14:\d The file holds several documents: expected one\./)],
    ],
    [
      'a tab',
      small.replace('  evidence', '\tevidence'),
      [expect.stringMatching(/^6:\d+ The file is not YAML here/)],
    ],
    [
      'a key twice',
      small.replace('kind: Phase', 'kind: Phase\nkind: Phase'),
      ['3:1 The file is not YAML here: the key is there twice.'],
    ],
    [
      'a tag',
      small.replace('kind: Phase', 'kind: !!js/function Phase'),
      [expect.stringMatching(/^2:\d+ The (?:file is not YAML here|value has the tag)/)],
    ],
    [
      'an anchor',
      small.replace('kind: Phase', 'kind: &k Phase'),
      [expect.stringContaining('The value has an anchor or is an alias')],
    ],
    [
      'a key that is no word',
      small.replace('kind: Phase', 'kind: Phase\n? [a, b]\n: c'),
      ['3:3 The key is not a word: expected the name of a field.'],
    ],
    [
      'an expression',
      small.replace("'min(up)'", '"min(up) > $'.concat('{{ inputs.x }}"')),
      [expect.stringMatching(/because \$\{\{ \}\} is not expanded here\.$/)],
    ],
    ['a list', '- a\n- b', ['1:1 The file is a list: expected fields.']],
    ['text', 'hello', ['1:1 The file is "hello": expected fields.']],
  ])('with %s in it is one clear problem', (_, text, expected) => {
    expect(problemsOf(text).slice(0, 1)).toEqual(expected);
  });

  it('with aliases that multiply is refused before they do', () => {
    const started = performance.now();
    expect(problemsOf(bomb)[0]).toBe(
      '1:7 The value has an anchor or is an alias: expected the value itself.',
    );
    expect(performance.now() - started).toBeLessThan(1000);
  });

  it('takes no field of every object for one of its own', () => {
    expect(
      problemsOf(small.replace('kind: Phase', 'kind: Phase\nconstructor: 1\n"__proto__": { polluted: 1 }')),
    ).toEqual([
      expect.stringMatching(/^3:1 constructor is not a field/),
      expect.stringMatching(/^4:1 __proto__ is not a field/),
    ]);
  });
});
