// What a Node program sees through mysql2 and Sequelize. Arguments: host, port, schema, mode (text,
// binary, compressed, tls). Through Sluice members is sharded by id, posts by member_id; labels is a
// reference table, notes is unsharded.
const mysql = require('mysql2/promise');
const { Sequelize, DataTypes, Op } = require('sequelize');
const [host, port, schema, mode] = process.argv.slice(2);

// Left out are the flags of a status, which tell whether an index was used.
function norm(k, v) {
  if (k === 'serverStatus') return undefined;
  if (v && v.type === 'Buffer') return Buffer.from(v.data).toString('hex');
  return typeof v === 'bigint' ? String(v) : v;
}
function say(what, value) {
  const text = JSON.stringify(value, norm);
  console.log(what + ': ' + (text === undefined || text.length <= 1500 ? text : text.slice(0, 200) + '… ' + text.length));
}
async function attempt(what, f) {
  try {
    say(what, await f());
  } catch (e) {
    say(what + ' throws', [e.name, e.errno ?? e.parent?.errno, e.sqlState ?? e.parent?.sqlState, e.message]);
  }
}
const options = {
  host, port: Number(port), user: 'app', password: 'app', database: schema, multipleStatements: true, supportBigNumbers: true, dateStrings: false, timezone: 'Z',
  compress: mode === 'compressed', ssl: mode === 'tls' ? { rejectUnauthorized: false } : undefined, connectTimeout: 10000,
};

(async () => {
  const c = await mysql.createConnection(options);
  const run = mode === 'binary' ? (sql, args) => c.execute(sql, args) : (sql, args) => c.query(sql, args);
  const columns = (fields) => fields?.map((f) => [f.name, f.columnType ?? f.type, f.columnLength, f.characterSet, f.flags, f.decimals, f.table, f.orgName]);
  for (const t of ['posts', 'members', 'labels', 'notes', 'blobs']) await c.query('DROP TABLE IF EXISTS ' + t);
  await c.query("CREATE TABLE members (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60) NOT NULL, email VARCHAR(100), born DATE, score DOUBLE, credit DECIMAL(12,3) NOT NULL DEFAULT 0, kind ENUM('guest','staff') NOT NULL DEFAULT 'guest', seen TIMESTAMP NULL, big BIGINT UNSIGNED, body TEXT, raw VARBINARY(20), j JSON, dt DATETIME(3), t TIME, y YEAR, bits BIT(8)) DEFAULT CHARSET=utf8mb4");
  await c.query('CREATE TABLE posts (post_id BIGINT NOT NULL AUTO_INCREMENT, member_id INT UNSIGNED NOT NULL, title VARCHAR(100) NOT NULL, PRIMARY KEY (member_id, post_id), KEY (post_id)) DEFAULT CHARSET=utf8mb4');
  await c.query('CREATE TABLE labels (code CHAR(2) NOT NULL PRIMARY KEY, label VARCHAR(40) NOT NULL) DEFAULT CHARSET=utf8mb4');
  await c.query('CREATE TABLE notes (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, note VARCHAR(100), n INT DEFAULT 5) DEFAULT CHARSET=utf8mb4');
  await c.query('CREATE TABLE blobs (id INT NOT NULL PRIMARY KEY, b LONGBLOB) DEFAULT CHARSET=utf8mb4');
  const when = new Date(Date.UTC(2020, 1, 29, 12, 34, 56, 789));
  for (let id = 1; id <= 6; id++) {
    await attempt('insert ' + id, async () => (await run('INSERT INTO members (id, name, email, born, score, credit, kind, seen, big, body, raw, j, dt, t, y, bits) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      [id, 'm' + id + " ' \" \\ 😀", id % 2 ? null : 'e' + id, '2001-02-0' + id, id / 3, '12.345', 'staff', when, '1844674407370955161' + id, 'body', Buffer.from([0, 39, 92, 255, id]), '{"a": [1, 2]}', when, '01:02:03', 2024, Buffer.from([id])]))[0]);
  }
  await attempt('insert posts', async () => (await c.query('INSERT INTO posts (post_id, member_id, title) VALUES ?', [[[1, 1, 'a'], [2, 2, 'b'], [3, 3, 'c'], [4, 1, 'd']]]))[0]);
  await attempt('insert labels', async () => (await run("INSERT INTO labels VALUES ('de', 'Deutsch'), ('fr', 'Français')"))[0]);
  await attempt('insert notes', async () => (await run("INSERT INTO notes (note) VALUES ('n1'), ('n2'), (NULL)"))[0]);
  for (const [sql, args] of [
    ['SELECT * FROM members WHERE id = ?', [1]], ['SELECT * FROM members WHERE id = ?', ['2']], ['SELECT * FROM members WHERE id = ?', [null]], ['SELECT * FROM members WHERE id > ? ORDER BY id', [3]],
    ['SELECT COUNT(*) AS n, SUM(credit), AVG(score), MAX(name) FROM members', []], ['SELECT kind, COUNT(*) FROM members GROUP BY kind', []],
    ['SELECT m.name, p.title FROM members m JOIN posts p ON p.member_id = m.id ORDER BY p.post_id', []], ['SELECT id FROM members ORDER BY id DESC LIMIT ? OFFSET ?', mode === 'binary' ? ['2', '1'] : [2, 1]],
    ['UPDATE members SET score = ? WHERE id = ?', [1.5, 1]], ['UPDATE members SET score = ?', [2]], ['DELETE FROM posts WHERE member_id = ?', [2]], ['SELECT * FROM nowhere', []], ['SELEKT', []],
    ['INSERT INTO members (id, name) VALUES (?, ?)', [1, 'twice']], ['INSERT INTO members (id, name) VALUES (?, ?)', [7, null]], ["INSERT INTO labels VALUES ('de', 'again')", []], ['SHOW WARNINGS', []],
    ['SELECT ? + 1, CONCAT(?, ?), CAST(? AS JSON) IS NULL', [1, 'a', 'b', null]], ["SELECT SLEEP(0), DATABASE(), @@version_comment <> ''", []], ['SELECT * FROM labels ORDER BY code', []], ['SHOW COLUMNS FROM members', []],
  ]) {
    await attempt(sql + ' ' + JSON.stringify(args), async () => { const [rows, fields] = await run(sql, args); return [rows, columns(fields)]; });
  }
  await attempt('several statements', async () => (await c.query('SELECT 1; UPDATE notes SET n = 6; SELECT id FROM members WHERE id < 3 ORDER BY id'))[0]);
  await attempt('rows as arrays, nested tables', async () => [(await c.query({ sql: 'SELECT id, name FROM members WHERE id = 1', rowsAsArray: true }))[0], (await c.query({ sql: 'SELECT m.id, p.title FROM members m JOIN posts p ON p.member_id = m.id WHERE m.id = 1 ORDER BY p.post_id', nestTables: true }))[0]]);
  await attempt('named placeholders', async () => (await c.query({ sql: 'SELECT id FROM members WHERE id = :id', namedPlaceholders: true }, { id: 2 }))[0]);
  await attempt('transaction', async () => {
    await c.beginTransaction();
    await run("INSERT INTO members (id, name) VALUES (50, 'tx'), (51, 'tx'), (52, 'tx')");
    const [[inside]] = await run('SELECT COUNT(*) AS n FROM members WHERE id >= 50');
    await c.rollback();
    const [[after]] = await run('SELECT COUNT(*) AS n FROM members WHERE id >= 50');
    await c.beginTransaction();
    await run('UPDATE members SET credit = 9 WHERE id IN (1, 2, 3)');
    await c.commit();
    return [inside, after, (await run('SELECT id, credit FROM members ORDER BY id'))[0]];
  });
  await attempt('a large blob', async () => {
    const b = Buffer.alloc(17 << 20);
    for (let i = 0; i < b.length; i++) b[i] = (i * 2654435761) >>> 13;
    const [r] = await run('INSERT INTO blobs VALUES (?, ?)', [1, b]);
    const [[row]] = await run('SELECT b FROM blobs WHERE id = ?', [1]);
    return [r.affectedRows, row.b.equals(b)];
  });
  await attempt('streaming', async () => {
    const raw = require('mysql2').createConnection(options);
    const ids = [];
    await new Promise((ok, bad) => raw.query('SELECT id FROM members WHERE id < 7 ORDER BY id').stream().on('data', (r) => ids.push(r.id)).on('end', ok).on('error', bad));
    raw.end();
    return ids;
  });
  await attempt('ping, reset, change user', async () => { await c.ping(); await c.query('SET @a = 5'); await c.changeUser({ user: 'app', password: 'app', database: schema }); return (await c.query('SELECT @a, DATABASE()'))[0]; });
  await attempt('a query that takes too long', async () => (await c.query({ sql: 'SELECT SLEEP(5)', timeout: 300 }))[0]);
  await attempt('wrong password', async () => mysql.createConnection({ ...options, password: 'wrong' }));
  c.destroy();
  const pool = mysql.createPool({ ...options, connectionLimit: 4 });
  await attempt('a pool', async () => (await Promise.all([1, 2, 3, 4, 5, 6].map((id) => pool.query('SELECT id FROM members WHERE id = ?', [id])))).map(([r]) => r[0].id));
  await pool.end();
  await sequelize();
  console.log('done: true');
})().catch((e) => { console.error(e); process.exit(1); });

async function sequelize() {
  const db = new Sequelize(schema, 'app', 'app', { host, port, dialect: 'mysql', logging: false, dialectOptions: { ssl: options.ssl, compress: options.compress }, define: { timestamps: false } });
  const Member = db.define('Member', { id: { type: DataTypes.INTEGER.UNSIGNED, primaryKey: true, autoIncrement: true }, name: DataTypes.STRING(60), credit: DataTypes.DECIMAL(12, 3), born: DataTypes.DATEONLY, meta: DataTypes.JSON, active: DataTypes.BOOLEAN }, { tableName: 'members' });
  const Post = db.define('Post', { post_id: { type: DataTypes.BIGINT, primaryKey: true }, member_id: { type: DataTypes.INTEGER.UNSIGNED, primaryKey: true }, title: DataTypes.STRING }, { tableName: 'posts' });
  Member.hasMany(Post, { foreignKey: 'member_id', constraints: false, as: 'posts' });
  Post.belongsTo(Member, { foreignKey: 'member_id', constraints: false, as: 'member' });
  const plain = (x) => JSON.parse(JSON.stringify(x));
  await attempt('sequelize authenticate', () => db.authenticate());
  await attempt('sequelize sync', async () => { await db.sync({ force: true }); return (await db.getQueryInterface().showAllTables()).map((t) => t.tableName ?? t).sort(); });
  await attempt('sequelize describe', () => db.getQueryInterface().describeTable('members'));
  await attempt('sequelize indexes', async () => plain(await db.getQueryInterface().showIndex('posts')));
  await attempt('sequelize bulkCreate', async () => plain(await Member.bulkCreate([1, 2, 3, 4, 5].map((id) => ({ id, name: 's' + id, credit: id * 1.5, born: '2001-01-0' + id, meta: { id }, active: id % 2 === 0 })))));
  await attempt('sequelize posts', async () => plain(await Post.bulkCreate([[1, 1, 'a'], [2, 1, 'b'], [3, 2, 'c']].map(([post_id, member_id, title]) => ({ post_id, member_id, title })))));
  await attempt('sequelize create', async () => { const m = await Member.create({ name: 'generated' }); return [m.id > 5, (await Member.findByPk(m.id)).name, await m.destroy().then(() => 'destroyed')]; });
  await attempt('sequelize findAll', async () => plain(await Member.findAll({ where: { id: { [Op.gt]: 2 } }, order: [['id', 'DESC']] })));
  await attempt('sequelize include', async () => plain(await Member.findAll({ where: { id: [1, 2, 3] }, include: { model: Post, as: 'posts' }, order: ['id', [{ model: Post, as: 'posts' }, 'post_id', 'ASC']] })));
  await attempt('sequelize findAndCountAll', async () => plain(await Member.findAndCountAll({ limit: 2, offset: 1, order: ['id'] })));
  await attempt('sequelize aggregates', async () => [await Member.count(), await Member.sum('credit'), await Member.max('name')]);
  await attempt('sequelize update', async () => [await Member.update({ credit: 100 }, { where: { id: [1, 3] } }), await Member.increment('credit', { by: 2, where: { id: 1 } }).then(() => 0), plain(await Member.findByPk(1))]);
  await attempt('sequelize upsert', async () => { await Member.upsert({ id: 2, name: 'upserted', credit: 7 }); return plain(await Member.findByPk(2)); });
  await attempt('sequelize findOrCreate', async () => plain(await Member.findOrCreate({ where: { id: 40 }, defaults: { name: 'forty' } })));
  await attempt('sequelize transaction', async () => {
    await db.transaction(async (t) => { await Member.create({ id: 60, name: 'tx' }, { transaction: t }); await Member.create({ id: 61, name: 'tx' }, { transaction: t }); throw new Error('rolled back'); }).catch((e) => say('sequelize rollback', e.message));
    return Member.count({ where: { id: { [Op.gte]: 60 } } });
  });
  await attempt('sequelize destroy', async () => Member.destroy({ where: { id: { [Op.gte]: 3 } } }));
  await attempt('sequelize query', async () => db.query('SELECT id, name FROM members WHERE id = :id', { replacements: { id: 1 }, type: 'SELECT' }));
  await attempt('sequelize addColumn', async () => { await db.getQueryInterface().addColumn('members', 'extra', { type: DataTypes.STRING, defaultValue: 'x' }); return Object.keys(await db.getQueryInterface().describeTable('members')); });
  await db.close();
}
