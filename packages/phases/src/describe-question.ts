import type { Question } from './criterion.ts';
import { formatMs } from './sound-samples.ts';

/** What is asked of a data source, in words, on one line. */
export function describeQuestion(question: Question): string {
  switch (question.kind) {
    case 'query':
      return question.query;
    case 'range':
      return `${question.query}, over ${formatMs(question.durationMs)}, every ${formatMs(question.stepMs)}`;
    case 'ratio':
      return `${question.part}: ${question.partQuery}, of ${question.totalQuery}`;
    case 'builds': {
      const { field = 'durationMs', ...wanted } = question.select;
      const pairs = Object.entries(wanted).map(([name, value]) => `${name} ${value}`);
      return `${field} of ${pairs.length === 0 ? 'every build' : `builds with ${pairs.join(', ')}`}`;
    }
    case 'ledger':
      return question.lines.length === 0
        ? 'tokens billed of those served'
        : `lines ${question.lines.join(', ')}`;
    case 'cluster':
      return question.check;
  }
}
