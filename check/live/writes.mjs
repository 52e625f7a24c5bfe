// Every way in which the application writes, as one process carries it out.
import { Grade, Student } from './entities.mjs';
import { CLASSES, GRADES, idOf, isGrade } from './world.mjs';

/**
 * @typedef {object} Write
 * @property {string} path
 * @property {readonly number[]} rows
 * @property {readonly number[]} versions of the rows, in their order
 * @property {readonly number[]} places of the rows: the student of a grade, the class of a student
 * @property {readonly number[]} before where they were
 */

class RolledBack extends Error {}

/** @param {number} row */
const entityOf = (row) => (isGrade(row) ? Grade : Student);
/** @param {number} row */
const tableOf = (row) => (isGrade(row) ? 'grade' : 'student');
/** @param {number} row */
const placeName = (row) => (isGrade(row) ? 'studentId' : 'classId');

/**
 * Each resolves when the library lets the application go on, which is when the writer may be answered.
 * @param {import('typeorm').DataSource} dataSource
 * @returns {Record<string, (write: Write) => Promise<unknown>>}
 */
export function createWrites(dataSource) {
  /** @param {Write} write @returns {{ row: number, id: number, version: number, place: number }[]} */
  const each = ({ rows, versions, places }) =>
    rows.map((row, at) => ({ row, id: idOf(row), version: versions[at] ?? 0, place: (places[at] ?? 0) + 1 }));
  /** @param {Write} write */
  const first = (write) => /** @type {ReturnType<typeof each>[number]} */ (each(write)[0]);

  /** @param {Write} write @param {import('typeorm').EntityManager} manager */
  async function saveAll(write, manager) {
    for (const { row, id, version } of each(write)) await manager.save(entityOf(row), { id, version });
  }

  /** @param {Write} write */
  const whole = (write) => each(write).map(({ row, id, version, place }) => ({ id, version, [placeName(row)]: place }));

  return {
    save: (write) => saveAll(write, dataSource.manager),
    async update(write) {
      const { row, id, version } = first(write);
      await dataSource.getRepository(entityOf(row)).update({ id }, { version });
    },
    async builder(write) {
      const { row, version } = first(write);
      const query = dataSource.createQueryBuilder().update(entityOf(row)).set({ version });
      await query.where('id IN (:...ids)', { ids: write.rows.map(idOf) }).execute();
    },
    async upsert(write) {
      const { row } = first(write);
      await dataSource.getRepository(entityOf(row)).upsert(whole(write), ['id']);
    },
    async raw(write) {
      const { row, id, version } = first(write);
      await dataSource.query(`UPDATE ${tableOf(row)} SET version = $1 WHERE id = $2`, [version, id]);
    },
    transaction: (write) => dataSource.transaction((manager) => saveAll(write, manager)),
    savepoint: (write) => dataSource.transaction(async (outer) => outer.transaction((inner) => saveAll(write, inner))),
    /** The last row's change is undone, the others' are kept. */
    savepointBack: (write) =>
      dataSource.transaction(async (outer) => {
        const { rows, versions } = write;
        const last = rows.length - 1;
        await saveAll({ ...write, rows: rows.slice(0, last), versions: versions.slice(0, last) }, outer);
        await undone(() =>
          outer.transaction(async (inner) => {
            await saveAll({ ...write, rows: rows.slice(last), versions: versions.slice(last) }, inner);
            throw new RolledBack();
          }),
        );
      }),
    rollback: (write) =>
      undone(() =>
        dataSource.transaction(async (manager) => {
          await saveAll(write, manager);
          throw new RolledBack();
        }),
      ),
    async move(write) {
      const { row, id, version, place } = first(write);
      await dataSource.manager.save(entityOf(row), { id, version, [placeName(row)]: place });
    },
    bulkSave: (write) => dataSource.getRepository(Grade).save(whole(write)),
    /** One transaction, so that nobody sees the row missing. */
    replace: (write) =>
      dataSource.transaction(async (manager) => {
        await manager.delete(Grade, { id: first(write).id });
        await manager.insert(Grade, /** @type {any} */ (whole(write)[0]));
      }),
    remove: async (write) => dataSource.getRepository(Grade).delete({ id: first(write).id }),
    insert: async (write) => dataSource.getRepository(Grade).insert(/** @type {any} */ (whole(write))),
    /** The student goes, and the database takes his grades along. */
    removeStudent: async (write) => {
      const id = idOf(Number(write.rows.find((row) => row >= GRADES)));
      await dataSource.getRepository(Student).delete({ id });
    },
    insertStudent: (write) =>
      dataSource.transaction(async (manager) => {
        const all = each(write);
        for (const { row, id, version, place } of all)
          if (!isGrade(row)) await manager.insert(Student, { id, version, classId: place });
        const grades = all.filter(({ row }) => isGrade(row));
        await manager.insert(
          Grade,
          grades.map(({ id, version, place }) => ({ id, version, studentId: place })),
        );
      }),
  };
}

/**
 * What an application would have to name by hand: all that shows the rows, or showed them.
 * @param {Write} write
 */
export function tagsOf({ rows, places, before }) {
  const tags = new Set(['table:all']);
  for (const [at, row] of rows.entries()) {
    tags.add(`${isGrade(row) ? 'grade' : 'student'}:${idOf(row)}`);
    for (const place of [places[at] ?? -1, before[at] ?? -1]) {
      if (place < 0) continue;
      tags.add(`${isGrade(row) ? 'student' : 'class'}:${place + 1}`);
      // In whichever class the student is by now.
      if (isGrade(row)) for (let one = 1; one <= CLASSES; one += 1) tags.add(`class:${one}`);
    }
  }
  return [...tags];
}

/** @param {() => Promise<unknown>} work */
async function undone(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof RolledBack)) throw error;
  }
}
