import type { DataSource } from '@sophia/phases';
import { describe, expect, it } from 'vitest';
import { describeSources, readTokens, resolveSources } from './data-sources.ts';

const prom = (address: string): DataSource => ({ name: 'prom', kind: 'prometheus', address });
const tokens = new Map([['prom', 'hunter2-hunter2']]);
const tokenSentTo = (
  source: DataSource,
  trusted: readonly DataSource[],
  addresses: ReadonlyMap<string, string> = new Map(),
) => resolveSources([source], trusted, addresses, tokens).get('prom');

describe('a token', () => {
  it('goes where the base’s phase file has the source too', () => {
    const source = prom('https://prometheus.example');
    expect(tokenSentTo(source, [source])?.token).toBe('hunter2-hunter2');
  });

  it('goes nowhere that a change made up', () => {
    expect(
      tokenSentTo(prom('https://evil.example'), [prom('https://prometheus.example')])?.token,
    ).toBeUndefined();
    expect(tokenSentTo(prom('https://evil.example'), [])?.token).toBeUndefined();
    const renamed = { ...prom('https://evil.example'), name: 'other' };
    expect(tokenSentTo(prom('https://evil.example'), [renamed])?.token).toBeUndefined();
  });

  it('goes where the workflow says, whatever the file says', () => {
    const given = new Map([['prom', 'https://prometheus.internal']]);
    expect(tokenSentTo(prom('https://evil.example'), [], given)).toMatchObject({
      address: 'https://prometheus.internal',
      token: 'hunter2-hunter2',
    });
  });

  it('is read by the name of its source and masked, a broken one too and never repeated', () => {
    const masked: string[] = [];
    const runner = { mask: (value: string) => masked.push(value) };
    const environment = { SOPHIA_TOKEN_GPU_METRICS_2: ' t0ken-t0ken ', SOPHIA_TOKEN_PROM: 'a\r\nhost: evil' };
    expect(readTokens(['gpu-metrics.2', 'none'], environment, runner)).toEqual(
      new Map([['gpu-metrics.2', 't0ken-t0ken']]),
    );
    expect(() => readTokens(['prom'], environment, runner)).toThrow(
      /^Environment variable SOPHIA_TOKEN_PROM is no token: expected characters that can be seen, without blanks\.$/,
    );
    expect(masked).toEqual(['t0ken-t0ken', 'a\r\nhost: evil']);
  });
});

describe('what evidence says of a source', () => {
  it('is its address without what may be a key', () => {
    const sources = resolveSources(
      [prom('https://prometheus.example/p?token=hunter2#x')],
      [],
      new Map(),
      tokens,
    );
    expect(describeSources(sources)).toEqual([
      { name: 'prom', kind: 'prometheus', asked: 'https://prometheus.example/p' },
    ]);
  });
});
