// The Open University's files: what is read, what is left out, and what is said of a file that does not fit.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { readOulad } from '../src/data/oulad.js';

const FILES: Readonly<Record<string, string>> = {
  courses: 'code_module,code_presentation,module_presentation_length\nAAA,2013J,268\n',
  assessments:
    'code_module,code_presentation,id_assessment,assessment_type,date,weight\nAAA,2013J,1752,TMA,19,10\nAAA,2013J,1757,Exam,,100\nZZZ,2013J,9,TMA,1,1\n',
  vle: 'id_site,code_module,code_presentation,activity_type,week_from,week_to\n546943,AAA,2013J,resource,,\n',
  studentInfo:
    'code_module,code_presentation,id_student,gender,region,highest_education,imd_band,age_band,num_of_prev_attempts,studied_credits,disability,final_result\nAAA,2013J,11391,M,"East Anglian, Region",HE Qualification,?,55<=,0,240,N,Pass\n',
  studentRegistration:
    'code_module,code_presentation,id_student,date_registration,date_unregistration\nAAA,2013J,11391,-159,\n',
  studentAssessment:
    'id_assessment,id_student,date_submitted,is_banked,score\n1752,11391,18,0,78\n1757,11391,250,1,\n1752,99999,18,0,50\n9,11391,18,0,50\n',
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oulad-'));
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(folder, `${name}.csv`), text);
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('readOulad', () => {
  it('reads the tables and joins the registration to the enrolment', async () => {
    const data = await readOulad(folder);
    expect(data.presentations).toMatchObject([{ code: 'AAA-2013J', lengthDays: 268 }]);
    expect(data.enrolments).toEqual([
      expect.objectContaining({
        studentId: 11391,
        registeredDay: -159,
        unregisteredDay: null,
        imdBand: null,
        region: 'East Anglian, Region',
      }),
    ]);
    expect(data.materials).toMatchObject([{ id: 546943, weekFrom: null }]);
  });

  it('an examination without a day is at the end; a missing score stays missing', async () => {
    const data = await readOulad(folder);
    expect(data.assessments).toMatchObject([
      { id: 1752, dueDay: 19 },
      { id: 1757, dueDay: 268 },
    ]);
    expect(data.submissions).toMatchObject([
      { score: 78, banked: false },
      { score: null, banked: true },
    ]);
  });

  it('leaves out what points at nothing: another presentation, a student who is not enrolled', async () => {
    const { submissions } = await readOulad(folder);
    expect(submissions.map(({ studentId, assessmentId }) => [assessmentId, studentId])).toEqual([
      [1752, 11391],
      [1757, 11391],
    ]);
  });

  it('names the file, line and column of what does not fit, and a file that is missing', async () => {
    writeFileSync(join(folder, 'assessments.csv'), String(FILES['assessments']).replace('TMA,19,10', 'Quiz,19,10'));
    await expect(readOulad(folder)).rejects.toThrow('assessments.csv, line 2: column assessment_type is "Quiz"');
    rmSync(join(folder, 'vle.csv'));
    await expect(readOulad(folder)).rejects.toThrow(/OULAD_DIR: cannot read .*vle\.csv/);
  });
});
