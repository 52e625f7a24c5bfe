// Pure: hours of the week, UTC. School days differ from each other, and are like themselves a week ago.

const HOUR_MS = 3_600_000;
export const HOURS = 168;

/** 0 to 167; which day begins does not matter, as long as it is always the same. */
export const hourOfWeek = (now: number): number => Math.floor(now / HOUR_MS) % HOURS;

/** Since 1970. */
export const weekOf = (now: number): number => Math.floor(now / (HOUR_MS * HOURS));

/** This hour, and those that follow it. */
export const hoursFrom = (now: number, hours: number): number[] =>
  Array.from({ length: hours }, (_, at) => (hourOfWeek(now) + at) % HOURS);
