// Text for people: tables that fit, units, colours where they are wanted. Pure.

export interface Style {
  /** Width of the terminal; undefined: no terminal, so nothing is cut. */
  readonly columns: number | undefined;
  readonly colours: boolean;
}

const CODES = { red: 31, yellow: 33, green: 32, cyan: 36, bold: 1, dim: 2 } as const;

export type Colour = keyof typeof CODES;

export function paint(text: string, colour: Colour, { colours }: Pick<Style, 'colours'>): string {
  return colours ? `\u001B[${CODES[colour]}m${text}\u001B[0m` : text;
}

export interface Column {
  readonly title: string;
  readonly right?: true;
  /** The one that is cut where the terminal is too narrow. */
  readonly elastic?: true;
}

const GAP = 2;
const LEAST = 8;

/** Aligned columns below their titles; without rows only the titles. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], style: Style): string {
  const clean = rows.map((row) => row.map(printable));
  const widths = columns.map(({ title }, at) => Math.max(title.length, ...clean.map((row) => row[at]?.length ?? 0)));
  const total = widths.reduce((sum, width) => sum + width + GAP, -GAP);
  const elastic = columns.findIndex((column) => column.elastic);
  const over = style.columns === undefined ? 0 : total - style.columns;
  if (elastic >= 0 && over > 0) widths[elastic] = Math.max(LEAST, (widths[elastic] ?? 0) - over);
  const line = (row: readonly string[]) =>
    columns
      .map(({ right }, at) => {
        const width = widths[at] ?? 0;
        const cell = cut(row[at] ?? '', width);
        return right ? cell.padStart(width) : cell.padEnd(width);
      })
      .join(' '.repeat(GAP))
      .trimEnd();
  const titles = line(columns.map(({ title }) => title));
  return [paint(titles, 'bold', style), ...clean.map(line)].join('\n');
}

const cut = (text: string, width: number): string => (text.length <= width ? text : `${text.slice(0, width - 1)}…`);

/** What comes from a server must not move the cursor. */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001F\u007F-\u009F]/g, '?');
}

/** Lines of at most so many letters; words stay whole. */
export function wrap(text: string, width: number, indent = ''): string {
  const lines: string[] = [];
  let line = indent;
  for (const word of printable(text).split(' ')) {
    const isFirst = line === indent;
    if (!isFirst && line.length + 1 + word.length > width) {
      lines.push(line);
      line = indent + word;
    } else line = isFirst ? indent + word : `${line} ${word}`;
  }
  return [...lines, line].join('\n');
}

export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function msText(ms: number): string {
  if (!Number.isFinite(ms)) return 'never';
  const [size, sign] = [Math.abs(ms), ms < 0 ? '-' : ''];
  if (size < 1000) return `${sign}${size < 10 ? Math.round(size * 10) / 10 : Math.round(size)} ms`;
  for (const [limit, per, unit] of [
    [120_000, 1000, 's'],
    [7_200_000, 60_000, 'min'],
    [172_800_000, 3_600_000, 'h'],
  ] as const)
    if (size < limit) return `${sign}${Math.round(size / per)} ${unit}`;
  return `${sign}${Math.round(size / 86_400_000)} d`;
}

export const countText = (count: number): string => String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',');

/** `1 entry`, `2 entries` */
export const countOf = (count: number, one: string, more: string): string =>
  `${countText(count)} ${count === 1 ? one : more}`;

export function bar(done: number, total: number, width: number): string {
  const full = total === 0 ? 0 : Math.min(width, Math.round((done / total) * width));
  return `[${'#'.repeat(full)}${'-'.repeat(width - full)}]`;
}
