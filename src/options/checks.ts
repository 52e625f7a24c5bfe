// What is wrong with an option, said so that it can be put right.
import { ReportCacheError } from '../contract/errors.js';

export function oneOf<T extends string | boolean>(option: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value))
    throw wrong(option, value, allowed.map((one) => (typeof one === 'string' ? `'${one}'` : String(one))).join(', '));
  return value;
}

export function count(option: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 1) throw wrong(option, value, 'a whole number above 0');
  return value;
}

export function onlyKnown(options: object, known: readonly string[], path: string): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      throw new ReportCacheError('ERC_OPTION', `There is no option "${path}${name}"; there are ${known.join(', ')}.`);
  }
}

export function wrong(option: string, value: unknown, expected: string): ReportCacheError {
  return new ReportCacheError(
    'ERC_OPTION',
    `${option} is ${JSON.stringify(value) ?? String(value)}; it takes ${expected}.`,
  );
}
