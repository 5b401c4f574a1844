export { renderBuildSummary, renderVerdictText } from './build-summary.ts';
export { renderDeploySummary, renderDeployVerdict } from './deploy-summary.ts';
export { type Column, code, escapeText, renderBar, renderTable } from './markdown.ts';
export { renderPhaseSummary, renderPhaseVerdict } from './phase-summary.ts';
export { formatBytes, formatDuration, formatShare } from './quantities.ts';
