// What the doctor has to say: one finding, and how findings are shown.
import { paint, printable, wrap, type Colour, type Style } from '../text.js';

export const SEVERITIES = ['ok', 'advice', 'warning', 'error'] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface Finding {
  /** Stays the same over releases. */
  readonly code: string;
  readonly severity: Severity;
  /** What was seen. */
  readonly what: string;
  /** What follows from it; absent where all is well. */
  readonly meaning?: string;
  readonly fix?: string;
}

export const ok = (code: string, what: string): Finding => ({ code, severity: 'ok', what });

/** @param severity anything but `ok` */
export const finding = (
  severity: Exclude<Severity, 'ok'>,
  code: string,
  what: string,
  meaning: string,
  fix: string,
): Finding => ({ code, severity, what, meaning, fix });

/** Advice is nothing to be woken up for. */
export const isBad = ({ severity }: Finding): boolean => severity === 'warning' || severity === 'error';

const COLOURS: Readonly<Record<Severity, Colour>> = { ok: 'green', advice: 'cyan', warning: 'yellow', error: 'red' };
const INDENT = '         ';

/** The worst last, where people look first. */
export function findingsText(findings: readonly Finding[], style: Style): string {
  const width = Math.min(style.columns ?? 100, 120);
  const sorted = findings.toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
  const lines = sorted.flatMap(({ severity, code, what, meaning, fix }) => [
    `${paint(severity.padEnd(7), COLOURS[severity], style)}  ${printable(what)} ${paint(`[${code}]`, 'dim', style)}`,
    ...(meaning === undefined ? [] : [wrap(meaning, width, INDENT)]),
    ...(fix === undefined ? [] : [wrap(`Fix: ${fix}`, width, INDENT)]),
  ]);
  const counts = SEVERITIES.map(
    (severity) => `${findings.filter((one) => one.severity === severity).length} ${severity}`,
  );
  return [...lines, '', counts.join(', ')].join('\n');
}
