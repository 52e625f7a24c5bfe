// Odd tables: other schemas, names in mixed case, composite keys, one table for several entities, partitions, all types.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import {
  ChildEntity,
  Column,
  Entity,
  JoinColumn,
  JoinTable,
  ManyToMany,
  ManyToOne,
  OneToMany,
  OneToOne,
  PrimaryColumn,
  PrimaryGeneratedColumn,
  TableInheritance,
  type Relation,
} from 'typeorm';
import { tag } from '../../../src/entry/tags.js';
import { openOutbox, rule, type Outbox } from './support.js';

const toRoom = [
  { name: 'Room House', referencedColumnName: 'house' },
  { name: 'roomNumber', referencedColumnName: 'number' },
];

@Entity({ name: 'Mixed Case', schema: 'Odd Place' })
class Room {
  @PrimaryColumn({ type: 'varchar', name: 'House Name' }) house!: string;
  @PrimaryColumn({ type: 'int', name: 'select' }) number!: number;
  @Column({ type: 'varchar', name: 'tags', default: '' }) keeper!: string;
  @OneToMany(() => Lesson, (lesson) => lesson.room) lessons!: Relation<Lesson>[];
  @ManyToMany(() => Room) @JoinTable({ name: 'Doors', schema: 'Odd Place' }) doors!: Relation<Room>[];
  @OneToOne(() => Key, (key) => key.room) key!: Relation<Key>;
}

@Entity()
class Key {
  @PrimaryGeneratedColumn() id!: number;
  @OneToOne(() => Room, (room) => room.key, { onDelete: 'SET NULL' }) @JoinColumn(toRoom) room!: Relation<Room>;
}

@Entity()
class Lesson {
  @PrimaryGeneratedColumn() id!: number;
  @Column({ type: 'varchar', nullable: true, name: 'writable' }) subject!: string;
  @ManyToOne(() => Room, (room) => room.lessons, { onDelete: 'CASCADE' }) @JoinColumn(toRoom) room!: Relation<Room>;
}

@Entity()
@TableInheritance({ column: { type: 'varchar', name: 'type' } })
class Person {
  @PrimaryGeneratedColumn() id!: number;
}

@ChildEntity()
class Teacher extends Person {
  @Column({ type: 'int', nullable: true }) desk!: number;
}

@Entity({ synchronize: false })
class Visit {
  @PrimaryColumn({ type: 'int' }) id!: number;
  @Column({ type: 'int' }) day!: number;
  @Column({ type: 'int' }) visitor!: number;
}

@Entity()
class Kinds {
  @PrimaryGeneratedColumn('uuid') id!: string;
  @Column({ type: 'bigint', default: 0 }) big!: string;
  @Column({ type: 'smallint', default: 0 }) small!: number;
  @Column({ type: 'text', nullable: true }) words!: string | null;
  @Column({ type: 'boolean', default: false }) yes!: boolean;
  @Column({ type: 'enum', enum: ['a b', 'c'], default: 'c' }) choice!: string;
  @Column({ type: 'date', nullable: true }) day!: string;
  @Column({ type: 'numeric', nullable: true }) exact!: string;
  @Column({ type: 'char', length: 4, nullable: true }) padded!: string;
  @Column({ type: 'int', array: true, nullable: true }) list!: number[];
  @Column({ type: 'int', nullable: true, transformer: { to: (v: number) => v, from: (v: number) => -v } })
  turned!: number;
  @Column({ type: 'timestamptz', nullable: true }) at!: Date;
}

const paths = { uuid: 'id', big: 'big', small: 'small', words: 'words', yes: 'yes', choice: 'choice' };
const coarse = { day: 'day', exact: 'exact', padded: 'padded', list: 'list', turned: 'turned', at: 'at' };

let box: Outbox;
const tags: Outbox['tagsOf'] = (write) => box.tagsOf(write);

beforeAll(async () => {
  box = await openOutbox('odd', {
    entities: [Room, Key, Lesson, Person, Teacher, Visit, Kinds],
    before: [
      'CREATE SCHEMA "Odd Place"',
      'CREATE TABLE visit (id int, day int, visitor int) PARTITION BY RANGE (day)',
      'CREATE TABLE visit_early PARTITION OF visit FOR VALUES FROM (0) TO (10)',
      'CREATE TABLE visit_late PARTITION OF visit FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (day)',
      'CREATE TABLE visit_latest PARTITION OF visit_late FOR VALUES FROM (10) TO (20)',
    ],
    rules: [
      ...rule(Room, { house: 'house', room: 'number', subject: 'lessons.subject', next: 'doors.number', key: 'key' }),
      ...rule(Lesson, { keeper: 'room.keeper', house: 'room.house' }),
      ...rule(Teacher, { teacher: 'id', desk: 'desk' }),
      ...rule(Visit, { visitor: 'visitor' }),
      ...rule(Kinds, { ...paths, ...coarse }),
      ...rule(Key, () => [tag('holder', 1)], { kinds: ['holder', 'chain'] }),
    ],
  });
});
afterAll(() => box.close());
beforeEach(async () => {
  await box.dataSource.query(
    `TRUNCATE "Odd Place"."Mixed Case", "Odd Place"."Doors", key, lesson, person, visit, kinds RESTART IDENTITY CASCADE`,
  );
  await box.dataSource.query(`
    INSERT INTO "Odd Place"."Mixed Case" VALUES ('haus à', 1, 'Ann Ö'), ('haus à', 2, 'bob'), ('b', 1, 'eve');
    INSERT INTO "Odd Place"."Doors" VALUES ('haus à', 1, 'haus à', 2);
    INSERT INTO lesson (writable, "Room House", "roomNumber") VALUES ('maths 1', 'haus à', 1), ('art', 'b', 1)`);
});

describe('names and composite keys', () => {
  it('other schemas, mixed case, reserved words, and columns called like what the trigger uses', async () => {
    expect(await tags(`UPDATE "Odd Place"."Mixed Case" SET tags = 'x' WHERE "select" = 2`)).toEqual([
      'house:haus%20%C3%A0',
      'room:2',
      'table:Mixed%20Case',
    ]);
    expect(await tags(`UPDATE "Odd Place"."Mixed Case" SET tags = 'x' WHERE "select" = 1`)).toEqual([
      'house:b',
      'house:haus%20%C3%A0',
      'next:2',
      'room:1',
      'subject:art',
      'subject:maths%201',
      'table:Mixed%20Case',
    ]);
  });

  it('a path over a composite key, for a row that moves', async () => {
    expect(await tags(`UPDATE lesson SET "Room House" = 'b' WHERE writable = 'maths 1'`)).toEqual([
      'house:b',
      'house:haus%20%C3%A0',
      'keeper:Ann%20%C3%96',
      'keeper:eve',
      'table:lesson',
    ]);
    expect(await tags(`UPDATE lesson SET "Room House" = NULL WHERE writable = 'maths 1'`)).toEqual(
      expect.arrayContaining(['house:b', 'table:lesson']),
    );
  });

  it('many-to-many of an entity with itself: the far end by name, the near end as it is now', async () => {
    const found = await tags(`INSERT INTO "Odd Place"."Doors" VALUES ('b', 1, 'haus à', 1)`);
    expect(found).toEqual([
      'house:b',
      'house:haus%20%C3%A0',
      'next:1',
      'next:2',
      'room:1',
      'subject:art',
      'subject:maths%201',
      'table:Doors',
      'table:Mixed%20Case',
    ]);
  });

  it('a one-to-one from the other side, gone with the row that was deleted', async () => {
    await box.dataSource.query(`INSERT INTO key ("Room House", "roomNumber") VALUES ('b', 1)`);
    // Kinds that every entry has mean everything when they are meant as a whole.
    expect(await tags(`UPDATE "Odd Place"."Mixed Case" SET tags = 'x' WHERE "House Name" = 'b'`)).toContain('key:1');
    expect(await tags(`DELETE FROM "Odd Place"."Mixed Case" WHERE "House Name" = 'b'`)).toContain('*');
  });
});

describe('one table for several entities', () => {
  it('has the rules of all of them, whoever the row is', async () => {
    expect(await tags(`INSERT INTO person (type, desk) VALUES ('Teacher', 7), ('Person', NULL)`)).toEqual([
      'desk:7',
      'table:person',
      'teacher:1',
      'teacher:2',
    ]);
  });
});

describe('partitions', () => {
  it('through the parent: once; directly: too, at any depth; moved between them: old and new', async () => {
    expect(await box.rowsOf('INSERT INTO visit VALUES (1, 5, 50), (2, 15, 51)')).toEqual([
      ['table:visit', 'visitor:50', 'visitor:51'],
    ]);
    expect(await box.rowsOf('UPDATE visit_early SET visitor = 52')).toEqual([
      ['table:visit', 'visitor:50', 'visitor:52'],
    ]);
    expect(await box.rowsOf('DELETE FROM visit_latest')).toEqual([['table:visit', 'visitor:51']]);
    expect(await box.rowsOf('UPDATE visit SET day = 12, visitor = 53')).toEqual([
      ['table:visit', 'visitor:52', 'visitor:53'],
    ]);
    expect(await tags('TRUNCATE visit_late')).toEqual(['table:visit', 'visitor:*']);
  });

  it('a partition that comes later is reported until the triggers are installed again', async () => {
    await box.dataSource.query('CREATE TABLE visit_new PARTITION OF visit FOR VALUES FROM (20) TO (30)');
    expect(await box.triggers.check()).toEqual([{ table: 'visit_new', problem: 'missing' }]);
    await box.triggers.install();
    expect(await box.triggers.check()).toEqual([]);
    expect(await tags('INSERT INTO visit_new VALUES (1, 25, 60)')).toEqual(['table:visit', 'visitor:60']);
  });
});

describe('types', () => {
  const whole = Object.keys(coarse).map((kind) => `${kind}:*`);

  it('whose text is certain are written, the others mean their whole kind, and advice says so', async () => {
    const id = randomUUID();
    const written = `INSERT INTO kinds (id, big, small, words, yes, choice) VALUES ('${id.toUpperCase()}', 9007199254740993, -5, 'ä b', true, 'a b')`;
    const exact = [
      tag('uuid', id),
      tag('big', '9007199254740993'),
      tag('small', -5),
      tag('words', 'ä b'),
      tag('yes', 'true'),
      tag('choice', 'a b'),
    ];
    expect(await tags(written)).toEqual([...exact, ...whole, 'table:kinds'].sort());
    expect(box.triggers.advice.filter((text) => text.includes('of Kinds exactly'))).toHaveLength(6);
  });

  it('two texts that a collation takes for one are two ids', async () => {
    await box.dataSource
      .query(`CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      ALTER TABLE kinds ALTER words TYPE text COLLATE blind`);
    expect(await box.dataSource.query(`SELECT 'a' COLLATE blind = 'A' AS same`)).toEqual([{ same: true }]);
    expect(await tags(`INSERT INTO kinds (words) VALUES ('a'), ('A')`)).toEqual(
      expect.arrayContaining(['words:A', 'words:a']),
    );
  });

  it('an empty text, which no tag can name, means the whole kind; null means nobody', async () => {
    expect(await tags(`INSERT INTO kinds (words) VALUES ('')`)).toContain('words:*');
    expect((await tags(`INSERT INTO kinds (words) VALUES (NULL)`)).filter((one) => one.startsWith('words'))).toEqual(
      [],
    );
  });
});

describe('function rules', () => {
  it('become the kinds they declare, and advice says so', async () => {
    expect(await tags('INSERT INTO key ("roomNumber") VALUES (NULL)')).toEqual(['chain:*', 'holder:*', 'table:key']);
    expect(box.triggers.advice).toContainEqual(
      expect.stringContaining('function rule of Key: each write to "key" invalidates chain:* holder:*.'),
    );
  });
});
