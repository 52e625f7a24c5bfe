// Reads the CSV files of the Open University Learning Analytics Dataset (CC BY 4.0, Kuzilek, Hlosta, Zdrahal 2017).
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { ASSESSMENT_TYPES, type AssessmentType } from '../entities/index.js';
import { type Dataset, startOf } from './dataset.js';

export const OULAD_SOURCE = 'oulad';

class Row {
  constructor(
    private readonly file: string,
    private readonly line: number,
    private readonly cells: Readonly<Record<string, string>>,
  ) {}

  private fail(column: string): never {
    throw new Error(`${this.file}, line ${this.line}: column ${column} is "${this.cells[column] ?? ''}".`);
  }

  /** Undefined for an empty cell; the original files write `?` for some of them. */
  optional(column: string): string | undefined {
    const cell = this.cells[column];
    if (cell === undefined) throw new Error(`${this.file} has no column ${column}.`);
    return cell === '' || cell === '?' ? undefined : cell;
  }

  text(column: string): string {
    return this.optional(column) ?? this.fail(column);
  }

  optionalNumber(column: string): number | null {
    const cell = this.optional(column);
    if (cell === undefined) return null;
    const value = Number(cell);
    return Number.isFinite(value) ? value : this.fail(column);
  }

  number(column: string): number {
    return this.optionalNumber(column) ?? this.fail(column);
  }

  presentation(): string {
    return `${this.text('code_module')}-${this.text('code_presentation')}`;
  }

  assessmentType(): AssessmentType {
    const type = this.text('assessment_type');
    return ASSESSMENT_TYPES.find((known) => known === type) ?? this.fail('assessment_type');
  }
}

async function readRows(folder: string, file: string): Promise<Row[]> {
  let content: Buffer;
  try {
    content = await readFile(join(folder, file));
  } catch (error) {
    throw new Error(`OULAD_DIR: cannot read ${join(folder, file)}.`, { cause: error });
  }
  const records: Record<string, string>[] = parse(content, {
    columns: true,
    bom: true,
    skip_empty_lines: true,
    trim: true,
  });
  return records.map((cells, index) => new Row(file, index + 2, cells));
}

/** Loads the folder; rows that point at a presentation, assessment or student that the folder lacks are left out. */
export async function readOulad(folder: string): Promise<Dataset> {
  const [courses, assessmentRows, vle, info, registration, results] = await Promise.all(
    ['courses', 'assessments', 'vle', 'studentInfo', 'studentRegistration', 'studentAssessment'].map((name) =>
      readRows(folder, `${name}.csv`),
    ) as [Promise<Row[]>, Promise<Row[]>, Promise<Row[]>, Promise<Row[]>, Promise<Row[]>, Promise<Row[]>],
  );

  const presentations = courses.map((row) => ({
    code: row.presentation(),
    module: row.text('code_module'),
    startsOn: startOf(row.text('code_presentation')),
    lengthDays: row.number('module_presentation_length'),
  }));
  const lengths = new Map(presentations.map((one) => [one.code, one.lengthDays]));

  const assessments = assessmentRows
    .filter((row) => lengths.has(row.presentation()))
    .map((row) => ({
      id: row.number('id_assessment'),
      presentationCode: row.presentation(),
      type: row.assessmentType(),
      // the data set leaves the day of some examinations open: they are at the end
      dueDay: row.optionalNumber('date') ?? lengths.get(row.presentation()) ?? 0,
      weight: row.number('weight'),
    }));
  const presentationOf = new Map(assessments.map((one) => [one.id, one.presentationCode]));

  const materials = vle
    .filter((row) => lengths.has(row.presentation()))
    .map((row) => ({
      id: row.number('id_site'),
      presentationCode: row.presentation(),
      activityType: row.text('activity_type'),
      weekFrom: row.optionalNumber('week_from'),
      weekTo: row.optionalNumber('week_to'),
    }));

  const seat = (presentation: string, student: number): string => `${presentation}/${student}`;
  const registered = new Map(registration.map((row) => [seat(row.presentation(), row.number('id_student')), row]));
  const seats = new Set<string>();
  const enrolments = info
    .filter((row) => lengths.has(row.presentation()))
    .map((row) => {
      const key = seat(row.presentation(), row.number('id_student'));
      seats.add(key);
      return {
        presentationCode: row.presentation(),
        studentId: row.number('id_student'),
        registeredDay: registered.get(key)?.optionalNumber('date_registration') ?? null,
        unregisteredDay: registered.get(key)?.optionalNumber('date_unregistration') ?? null,
        finalResult: row.text('final_result'),
        region: row.text('region'),
        education: row.text('highest_education'),
        imdBand: row.optional('imd_band') ?? null,
        ageBand: row.text('age_band'),
      };
    });

  const submissions = results.flatMap((row) => {
    const assessmentId = row.number('id_assessment');
    const studentId = row.number('id_student');
    const presentation = presentationOf.get(assessmentId);
    if (presentation === undefined || !seats.has(seat(presentation, studentId))) return [];
    return {
      assessmentId,
      studentId,
      submittedDay: row.number('date_submitted'),
      banked: row.text('is_banked') === '1',
      score: row.optionalNumber('score'),
    };
  });

  return { source: OULAD_SOURCE, presentations, assessments, materials, enrolments, submissions };
}
