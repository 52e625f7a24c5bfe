// What the library needs from a logger: pino's four methods, nothing else.

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  /** Asked before a per-request record is built, so that a silent level costs nothing. */
  isLevelEnabled?(level: string): boolean;
}
