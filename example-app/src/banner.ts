// What the terminal says once the platform is up: who can log in, and what to try first.
import type { DataSource } from 'typeorm';
import { IsNull, Not } from 'typeorm';
import { DEMO_LOGINS } from './auth.js';
import { Assessment, Submission, User } from './entities/index.js';
import type { Platform } from './platform.js';

async function firstGraded(dataSource: DataSource, studentId: number): Promise<Submission | null> {
  return dataSource.getRepository(Submission).findOne({
    where: { studentId, score: Not(IsNull()) },
    order: { assessmentId: 'ASC' },
  });
}

export async function banner({ url, dataSource, loaded }: Platform, production: boolean): Promise<string> {
  const lines = [
    '',
    `Education platform on ${url}`,
    `Data: ${loaded.source}, ${loaded.students} students, ${loaded.submissions} submissions`,
  ];
  if (production) return [...lines, 'Demonstration tokens are refused: NODE_ENV is production.', ''].join('\n');

  const users = await dataSource.getRepository(User).findBy({ login: Not(IsNull()) });
  const byLogin = new Map(users.map((user) => [user.login, user]));
  lines.push('', 'Tokens (Authorization: Bearer <token>); demo-user-<id> is any user by id:');
  for (const login of DEMO_LOGINS) {
    const user = byLogin.get(login);
    if (user !== undefined)
      lines.push(`  ${login.padEnd(13)} user ${String(user.id).padEnd(8)} ${user.role}, ${user.name}`);
  }
  const student = byLogin.get('demo-student');
  const work = student && (await firstGraded(dataSource, student.id));
  const assessment = work && (await dataSource.getRepository(Assessment).findOneBy({ id: work.assessmentId }));
  if (!student || !work || !assessment) return [...lines, ''].join('\n');

  const progress = `${url}/api/reports/students/${student.id}/progress`;
  lines.push(
    '',
    'Try:',
    `  curl -si -H 'Authorization: Bearer demo-student' ${progress}`,
    `  curl -si -H 'Authorization: Bearer demo-teacher' '${url}/api/reports/presentations/${assessment.presentationCode}/grades?bins=10'`,
    `  curl -s -X PUT -H 'Authorization: Bearer demo-teacher' -H 'Content-Type: application/json' -d '{"score": 91}' ${url}/api/submissions/${work.assessmentId}/${student.id}`,
    '',
    'The cache itself, in a browser (name: demo-admin, no password):',
    `  ${url}/api/reports/cache/`,
    '',
  );
  return lines.join('\n');
}
