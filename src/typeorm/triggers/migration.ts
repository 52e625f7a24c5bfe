// The source file of a TypeORM migration that makes and removes the triggers.
import { ReportCacheError } from '../../contract/errors.js';

/** Loaded by what is generated, not by this library. */
const FROM_ORM = ['from', `'typeorm'`].join(' ');

const inTemplate = (sql: string): string => sql.replace(/[\\`]|\$\{/g, (found) => `\\${found}`);

const statements = (sql: readonly string[]): string =>
  sql.map((one) => `    await queryRunner.query(\`${inTemplate(one)}\`);`).join('\n');

/**
 * @param name of the class, in PascalCase.
 * @param timestamp milliseconds, as TypeORM puts them behind the names of migrations.
 * @throws ERC_OPTION for a name that is no identifier, or a timestamp that is not one.
 */
export function migrationSource(
  name: string,
  timestamp: number,
  { up, down }: { readonly up: readonly string[]; readonly down: readonly string[] },
): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    throw new ReportCacheError('ERC_OPTION', `"${name}" cannot be the name of a migration class.`);
  // TypeORM reads the last 13 characters of the class name as the time.
  if (!/^\d{13}$/.test(String(timestamp)))
    throw new ReportCacheError('ERC_OPTION', `${timestamp} is not a time in milliseconds.`);
  const className = `${name}${timestamp}`;
  return `// Generated from the cascade rules of express-report-cache. When rules change, generate another one.
import type { MigrationInterface, QueryRunner } ${FROM_ORM};

export class ${className} implements MigrationInterface {
  name = '${className}';

  async up(queryRunner: QueryRunner): Promise<void> {
${statements(up)}
  }

  async down(queryRunner: QueryRunner): Promise<void> {
${statements(down)}
  }
}
`;
}
