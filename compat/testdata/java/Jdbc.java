// What a Java program and a database tool (DBeaver's way: DatabaseMetaData) see through JDBC. It
// prints everything; what is printed must be the same on every server.
// Arguments: URL, user, password, schema. The tables are made anew by each run: through Sluice
// members is sharded by id, posts by member_id; labels is a reference table, notes is unsharded.

import java.io.ByteArrayInputStream;
import java.io.StringReader;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.*;

public class Jdbc {
    interface Body { Object run() throws Exception; }

    static String schema;

    public static void main(String[] args) throws Exception {
        schema = args[3];
        try (Connection c = DriverManager.getConnection(args[0], args[1], args[2])) {
            tables(c);
            metadata(c);
            statements(c);
            prepared(c);
            results(c);
            transactions(c);
            procedures(c);
            large(c);
            connection(c, args);
        }
        System.out.println("done: true");
    }

    static void say(String what, Object value) {
        String text = String.valueOf(value).replace("\n", "\\n").replaceAll("\\(conn=\\d+\\)", "(conn)")
            .replace(schema, "SCHEMA").replaceAll(" AUTO_INCREMENT=\\d+", ""); // ids have gaps
        System.out.println(what + ": " + (text.length() <= 1500 ? text : text.substring(0, 200) + "… " + text.length() + " " + text.hashCode()));
    }

    static void attempt(String what, Body body) {
        try {
            say(what, body.run());
        } catch (BatchUpdateException e) {
            say(what + " throws", e.getErrorCode() + " " + e.getSQLState() + " " + e.getMessage() + " " + Arrays.toString(e.getUpdateCounts()));
        } catch (SQLException e) {
            say(what + " throws", e.getClass().getSimpleName() + " " + e.getErrorCode() + " " + e.getSQLState() + " " + e.getMessage());
        } catch (Exception e) {
            say(what + " throws", e.getClass().getSimpleName());
        }
    }

    static String hex(byte[] b) {
        if (b == null) return "null";
        StringBuilder s = new StringBuilder();
        for (byte x : b) s.append(String.format("%02x", x));
        return s.toString();
    }

    // describe gives a result's columns and rows.
    static String describe(ResultSet r, boolean types, String... without) throws SQLException {
        StringBuilder out = new StringBuilder();
        ResultSetMetaData m = r.getMetaData();
        Set<String> skip = new HashSet<>(Arrays.asList(without));
        for (int i = 1; i <= m.getColumnCount(); i++) {
            out.append(i > 1 ? ", " : "").append(m.getColumnLabel(i));
            if (types) {
                out.append(" ").append(m.getColumnName(i)).append(" ").append(m.getTableName(i)).append(" ").append(m.getColumnTypeName(i)).append(" ").append(m.getColumnType(i))
                    .append(" ").append(m.getColumnClassName(i)).append(" ").append(m.getPrecision(i)).append(" ").append(m.getScale(i)).append(" ").append(m.getColumnDisplaySize(i))
                    .append(" ").append(m.isNullable(i)).append(" ").append(m.isAutoIncrement(i)).append(" ").append(m.isSigned(i)).append(" ").append(m.isCaseSensitive(i))
                    .append(" ").append(m.getCatalogName(i)).append(" ").append(m.isReadOnly(i));
            }
        }
        out.append(" =");
        while (r.next()) {
            out.append(" [");
            for (int i = 1; i <= m.getColumnCount(); i++) {
                Object v = skip.contains(m.getColumnLabel(i)) ? "*" : r.getObject(i);
                out.append(i > 1 ? ", " : "").append(v instanceof byte[] b ? hex(b) : String.valueOf(v));
            }
            out.append("]");
        }
        return out.toString();
    }

    static String query(Connection c, String sql) throws SQLException {
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery(sql)) {
            return describe(r, false);
        }
    }

    static void run(Connection c, String... statements) throws SQLException {
        try (Statement s = c.createStatement()) {
            for (String sql : statements) s.execute(sql);
        }
    }

    static void tables(Connection c) throws SQLException {
        run(c, "DROP VIEW IF EXISTS noted", "DROP PROCEDURE IF EXISTS twice", "DROP FUNCTION IF EXISTS half",
            "DROP TABLE IF EXISTS posts", "DROP TABLE IF EXISTS members", "DROP TABLE IF EXISTS labels", "DROP TABLE IF EXISTS notes", "DROP TABLE IF EXISTS blobs",
            "CREATE TABLE members (id INT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(60) NOT NULL COMMENT 'full name', email VARCHAR(100), born DATE, score DOUBLE, "
                + "credit DECIMAL(12,3) NOT NULL DEFAULT 0, kind ENUM('guest','staff') NOT NULL DEFAULT 'guest', flags SET('a','b') NOT NULL DEFAULT '', seen TIMESTAMP NULL, big BIGINT UNSIGNED, "
                + "small TINYINT(1), bits BIT(8), body TEXT, raw VARBINARY(20), y YEAR, t TIME(3), dt DATETIME(6), f FLOAT, KEY name (name, email)) DEFAULT CHARSET=utf8mb4 COMMENT='all members'",
            "CREATE TABLE posts (post_id BIGINT NOT NULL AUTO_INCREMENT, member_id INT UNSIGNED NOT NULL, title VARCHAR(100) NOT NULL, length INT AS (CHAR_LENGTH(title)) STORED, "
                + "PRIMARY KEY (member_id, post_id), KEY (post_id), CONSTRAINT of_member FOREIGN KEY (member_id) REFERENCES members (id) ON DELETE CASCADE) DEFAULT CHARSET=utf8mb4",
            "CREATE TABLE labels (code CHAR(2) NOT NULL PRIMARY KEY, label VARCHAR(40) NOT NULL, UNIQUE KEY label (label)) DEFAULT CHARSET=utf8mb4",
            "CREATE TABLE blobs (id INT NOT NULL PRIMARY KEY, b LONGBLOB) DEFAULT CHARSET=utf8mb4",
            "CREATE TABLE notes (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, note VARCHAR(100), n INT DEFAULT 5) DEFAULT CHARSET=utf8mb4",
            "CREATE VIEW noted AS SELECT id, note FROM notes WHERE n > 0",
            "CREATE PROCEDURE twice (IN a INT, INOUT b VARCHAR(20), OUT c DECIMAL(10,2)) BEGIN SELECT a * 2 AS twice; SET b = CONCAT(b, b), c = a / 4; SELECT COUNT(*) FROM notes; END",
            "CREATE FUNCTION half (a INT) RETURNS DOUBLE DETERMINISTIC RETURN a / 2",
            "INSERT INTO members (id, name, email, born, score, credit, kind, flags, seen, big, small, bits, body, raw, y, t, dt, f) VALUES "
                + "(1, 'one', 'one@x', '2001-02-03', 1.5, 2.345, 'staff', 'a,b', '2020-01-02 03:04:05', 18446744073709551615, 1, b'10000001', 'text', x'00ff27', 2024, '01:02:03.004', '2024-02-29 23:59:59.999999', 1.25), "
                + "(2, 'two', NULL, NULL, NULL, 0, 'guest', '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), "
                + "(3, 'it''s \\\\ \"three\"', 'тест 😀', '1999-12-31', -1e10, -5, 'guest', 'b', '2038-01-01 00:00:00', 0, 0, b'0', '', '', 1970, '10:00:00', '1000-01-01 00:00:00', 0)",
            "INSERT INTO members (id, name) VALUES (4, 'four'), (5, 'five'), (6, 'six'), (7, 'seven')",
            "INSERT INTO posts (post_id, member_id, title) VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'), (4, 4, 'd'), (5, 1, 'e')",
            "INSERT INTO labels VALUES ('de', 'Deutsch'), ('fr', 'Français')", "INSERT INTO notes (note) VALUES ('n1'), ('n2'), (NULL)");
    }

    // metadata calls every getter that has no argument, and the results that a tool reads.
    static void metadata(Connection c) throws Exception {
        DatabaseMetaData m = c.getMetaData();
        Method[] methods = DatabaseMetaData.class.getMethods();
        Arrays.sort(methods, Comparator.comparing(Method::getName));
        Set<String> own = Set.of("getConnection", "getURL", "getUserName"); // differ by address
        for (Method method : methods) {
            if (method.getParameterCount() == 0 && !own.contains(method.getName())) {
                attempt(method.getName(), () -> {
                    try {
                        Object v = method.invoke(m);
                        return v instanceof ResultSet r ? describe(r, false) : v;
                    } catch (InvocationTargetException e) {
                        throw (Exception) e.getCause();
                    }
                });
            }
        }
        for (int type : new int[] {ResultSet.TYPE_FORWARD_ONLY, ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.TYPE_SCROLL_SENSITIVE}) {
            say("supportsResultSetType " + type, m.supportsResultSetType(type) + " " + m.supportsResultSetConcurrency(type, ResultSet.CONCUR_UPDATABLE));
        }
        String[] tables = {"members", "posts", "labels", "notes", "noted", "nowhere"};
        attempt("getTables", () -> describe(m.getTables(schema, null, "%", null), true));
        attempt("getTables of null", () -> describe(m.getTables(schema, null, null, new String[] {"TABLE"}), false));
        attempt("getTables of views", () -> describe(m.getTables(schema, null, "%", new String[] {"VIEW"}), false));
        attempt("getTables like", () -> describe(m.getTables(schema, null, "m%", new String[] {"TABLE", "VIEW"}), false));
        attempt("getTables of this catalog", () -> describe(m.getTables(c.getCatalog(), "", "posts", null), false));
        attempt("getTables of all catalogs", () -> describe(m.getTables(null, null, "members", null), false));
        attempt("getColumns", () -> describe(m.getColumns(schema, null, "%", "%"), false));
        for (String t : tables) {
            attempt("getColumns " + t, () -> describe(m.getColumns(schema, null, t, null), t.equals("members")));
            attempt("getPrimaryKeys " + t, () -> describe(m.getPrimaryKeys(schema, null, t), false));
            attempt("getIndexInfo " + t, () -> describe(m.getIndexInfo(schema, null, t, false, true), false, "CARDINALITY"));
            attempt("getIndexInfo unique " + t, () -> describe(m.getIndexInfo(schema, null, t, true, false), false, "CARDINALITY"));
            attempt("getImportedKeys " + t, () -> describe(m.getImportedKeys(schema, null, t), false));
            attempt("getExportedKeys " + t, () -> describe(m.getExportedKeys(schema, null, t), false));
            attempt("getCrossReference " + t, () -> describe(m.getCrossReference(schema, null, "members", schema, null, t), false));
            attempt("getBestRowIdentifier " + t, () -> describe(m.getBestRowIdentifier(schema, null, t, DatabaseMetaData.bestRowSession, true), false));
            attempt("getVersionColumns " + t, () -> describe(m.getVersionColumns(schema, null, t), false));
            attempt("getTablePrivileges " + t, () -> describe(m.getTablePrivileges(schema, null, t), false));
            attempt("getColumnPrivileges " + t, () -> describe(m.getColumnPrivileges(schema, null, t, "%"), false));
            attempt("getPseudoColumns " + t, () -> describe(m.getPseudoColumns(schema, null, t, "%"), false));
        }
        attempt("getProcedures", () -> describe(m.getProcedures(schema, null, "%"), false));
        attempt("getProcedureColumns", () -> describe(m.getProcedureColumns(schema, null, "twice", "%"), false));
        attempt("getFunctions", () -> describe(m.getFunctions(schema, null, "%"), false));
        attempt("getFunctionColumns", () -> describe(m.getFunctionColumns(schema, null, "half", "%"), false));
        attempt("getSchemas", () -> describe(m.getSchemas(schema, "%"), false));
        attempt("getUDTs", () -> describe(m.getUDTs(schema, null, "%", null), false));
        attempt("getSuperTables", () -> describe(m.getSuperTables(schema, null, "%"), false));
        attempt("getAttributes", () -> describe(m.getAttributes(schema, null, "%", "%"), false));
        // What DBeaver asks by itself.
        for (String sql : new String[] {"SHOW FULL TABLES FROM `" + schema + "`", "SHOW TABLE STATUS FROM `" + schema + "` LIKE 'members'", "SHOW ENGINES", "SHOW CHARSET LIKE 'utf8mb4'",
            "SHOW PLUGINS", "SELECT @@lower_case_table_names, @@sql_mode, @@version_comment <> '', DATABASE()", "SHOW CREATE TABLE `" + schema + "`.`posts`",
            "SELECT * FROM information_schema.STATISTICS WHERE TABLE_SCHEMA='" + schema + "' AND TABLE_NAME='posts' ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX",
            "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT IN ('sys', 'mysql', 'performance_schema') ORDER BY 1",
            "SHOW FULL COLUMNS FROM `members` FROM `" + schema + "`", "SHOW VARIABLES LIKE 'character_set_%'", "SHOW PRIVILEGES", "SHOW TRIGGERS FROM `" + schema + "`",
            "SELECT * FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = '" + schema + "'",
            "SHOW FULL PROCESSLIST"}) {
            attempt(sql.replace(schema, "S"), () -> {
                String all = query(c, sql);
                if (sql.contains("STATUS") || sql.contains("STATISTICS") || sql.contains("PROCESSLIST")) return all.substring(0, all.indexOf('=')); // estimates, times
                return all;
            });
        }
    }

    static void statements(Connection c) throws Exception {
        try (Statement s = c.createStatement()) {
            say("execute", s.execute("SELECT id, name FROM members WHERE id = 1") + " " + describe(s.getResultSet(), true) + " " + s.getMoreResults() + " " + s.getUpdateCount());
            say("executeUpdate", s.executeUpdate("UPDATE members SET score = 2 WHERE id IN (1, 2, 3)") + " " + s.executeUpdate("UPDATE members SET score = 2 WHERE id = 1") + " " + s.executeLargeUpdate("UPDATE members SET email = 'all'"));
            attempt("generated keys", () -> {
                int n = s.executeUpdate("INSERT INTO notes (note) VALUES ('g1'), ('g2')", Statement.RETURN_GENERATED_KEYS);
                try (ResultSet r = s.getGeneratedKeys()) { return n + " " + describe(r, false); }
            });
            attempt("generated key of a sharded table", () -> {
                int n = s.executeUpdate("INSERT INTO members (name) VALUES ('generated')", new String[] {"id"});
                try (ResultSet r = s.getGeneratedKeys()) { return n + " " + r.next() + " " + (r.getLong(1) > 7) + " " + query(c, "SELECT name FROM members WHERE id = " + r.getLong(1)); }
            });
            run(c, "DELETE FROM members WHERE id > 7");
            for (String sql : new String[] {"SELECT * FROM nowhere", "SELEKT", "INSERT INTO labels VALUES ('de', 'twice')", "INSERT INTO members (id, name) VALUES (1, 'twice')",
                "INSERT INTO posts (member_id, title) VALUES (99, 'no member')", "UPDATE members SET nothing = 1", "INSERT INTO members (id, name) VALUES (8, NULL)", "DROP TABLE nowhere", "USE nowhere",
                "INSERT INTO members (id, name, born) VALUES (9, 'x', 'no date')", "SELECT 1 FROM members WHERE", "CALL nothing()"}) {
                attempt(sql, () -> s.execute(sql));
            }
            attempt("warnings", () -> {
                s.execute("SELECT 1/0, CAST('5x' AS SIGNED)");
                StringBuilder w = new StringBuilder();
                for (SQLWarning x = s.getWarnings(); x != null; x = x.getNextWarning()) w.append(x.getErrorCode()).append(" ").append(x.getMessage()).append("; ");
                return w;
            });
            attempt("batch", () -> {
                s.addBatch("INSERT INTO notes (note) VALUES ('b1')");
                s.addBatch("UPDATE notes SET n = 6 WHERE note LIKE 'b%'");
                s.addBatch("INSERT INTO members (id, name) VALUES (20, 'b20'), (21, 'b21')");
                s.addBatch("DELETE FROM members WHERE id IN (20, 21)");
                return Arrays.toString(s.executeBatch());
            });
            attempt("failing batch", () -> {
                s.addBatch("INSERT INTO labels VALUES ('x1', 'x1')");
                s.addBatch("INSERT INTO labels VALUES ('de', 'again')");
                s.addBatch("DELETE FROM labels WHERE code = 'x1'");
                return Arrays.toString(s.executeBatch());
            });
            s.clearBatch();
            run(c, "DELETE FROM labels WHERE code = 'x1'");
            attempt("several statements", () -> {
                StringBuilder out = new StringBuilder();
                boolean rows = s.execute("SELECT 1; UPDATE notes SET n = 7; SELECT id FROM members WHERE id < 4 ORDER BY id; DELETE FROM notes WHERE note = 'g1'");
                for (int n = 0; n < 10; n++) {
                    if (rows) out.append(describe(s.getResultSet(), false)).append("; ");
                    else if (s.getUpdateCount() == -1) break;
                    else out.append(s.getUpdateCount()).append("; ");
                    rows = s.getMoreResults();
                }
                return out;
            });
            s.setMaxRows(3);
            attempt("max rows", () -> describe(s.executeQuery("SELECT id FROM members ORDER BY id"), false));
            s.setMaxRows(0);
            s.setQueryTimeout(1);
            attempt("query timeout", () -> describe(s.executeQuery("SELECT SLEEP(20) FROM labels"), false));
            s.setQueryTimeout(0);
            attempt("cancel", () -> {
                Thread t = new Thread(() -> { try { Thread.sleep(500); s.cancel(); } catch (Exception e) { say("cancel", e); } });
                t.start();
                try (ResultSet r = s.executeQuery("SELECT SLEEP(20) FROM members WHERE id = 1")) {
                    return r.next() && r.getInt(1) == 1 ? "cancelled" : "slept";
                } catch (SQLException e) { // which one depends on what the driver hears of first
                    return e.getErrorCode() == 1317 || e.getMessage().contains("cancelled") ? "cancelled" : e;
                } finally {
                    t.join();
                }
            });
            attempt("after it", () -> describe(s.executeQuery("SELECT 'alive'"), false));
        }
    }

    static void prepared(Connection c) throws Exception {
        try (PreparedStatement p = c.prepareStatement("SELECT * FROM members WHERE id = ?")) {
            attempt("parameters", () -> p.getParameterMetaData().getParameterCount());
            attempt("metadata before", () -> p.getMetaData() == null ? null : p.getMetaData().getColumnCount() + " " + p.getMetaData().getColumnName(2));
            for (int id = 1; id <= 3; id++) {
                p.setInt(1, id);
                say("members " + id, describe(p.executeQuery(), true));
            }
            p.setString(1, "2");
            attempt("a string as key", () -> describe(p.executeQuery(), false));
            p.setObject(1, new BigDecimal("3"));
            attempt("a decimal as key", () -> describe(p.executeQuery(), false));
            p.setNull(1, Types.INTEGER);
            attempt("NULL as key", () -> describe(p.executeQuery(), false));
        }
        try (PreparedStatement p = c.prepareStatement("INSERT INTO members (id, name, email, born, score, credit, kind, flags, seen, big, small, bits, body, raw, y, t, dt, f) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")) {
            for (int id = 30; id < 34; id++) {
                p.setLong(1, id);
                p.setString(2, "p" + id + " ' \\ \" 😀");
                p.setCharacterStream(3, new StringReader("mail" + id));
                p.setDate(4, java.sql.Date.valueOf("2010-03-04"));
                p.setDouble(5, id / 7.0);
                p.setBigDecimal(6, new BigDecimal("-123.456"));
                p.setString(7, "staff");
                p.setString(8, "a");
                p.setTimestamp(9, Timestamp.valueOf("2011-12-13 14:15:16"));
                p.setObject(10, new java.math.BigInteger("18446744073709551614"));
                p.setBoolean(11, id % 2 == 0);
                p.setByte(12, (byte) 5);
                p.setClob(13, new StringReader("clob " + id));
                p.setBinaryStream(14, new ByteArrayInputStream(new byte[] {0, 39, 92, -1}));
                p.setShort(15, (short) 2001);
                p.setTime(16, Time.valueOf("11:12:13"));
                p.setObject(17, java.time.LocalDateTime.of(2020, 2, 3, 4, 5, 6, 789000000));
                p.setFloat(18, 1.5f);
                p.addBatch();
            }
            attempt("batch", () -> Arrays.toString(p.executeBatch()));
        }
        attempt("its rows", () -> query(c, "SELECT * FROM members WHERE id >= 30 ORDER BY id"));
        try (PreparedStatement p = c.prepareStatement("INSERT INTO notes (note, n) VALUES (?, ?)", Statement.RETURN_GENERATED_KEYS)) {
            for (int i = 0; i < 3; i++) {
                p.setString(1, "k" + i);
                p.setObject(2, i == 1 ? null : i, Types.INTEGER);
                p.addBatch();
            }
            attempt("batch with keys", () -> {
                String counts = Arrays.toString(p.executeBatch());
                try (ResultSet r = p.getGeneratedKeys()) { return counts + " " + describe(r, false); }
            });
        }
        try (PreparedStatement p = c.prepareStatement("UPDATE members SET score = ? WHERE id = ?")) {
            for (int id = 1; id < 35; id++) {
                p.setDouble(1, id);
                p.setInt(2, id);
                p.addBatch();
            }
            attempt("updates in a batch", () -> Arrays.toString(p.executeBatch()));
        }
        try (PreparedStatement p = c.prepareStatement("SELECT m.id, COUNT(*) AS posts, MAX(p.title) FROM members m JOIN posts p ON p.member_id = m.id WHERE m.id BETWEEN ? AND ? GROUP BY m.id ORDER BY m.id LIMIT ?")) {
            p.setInt(1, 1);
            p.setInt(2, 3);
            p.setInt(3, 10);
            attempt("a join", () -> describe(p.executeQuery(), true));
        }
        attempt("a statement with a fault", () -> c.prepareStatement("SELECT * FROM nowhere WHERE id = ?").executeQuery());
        run(c, "DELETE FROM members WHERE id >= 30");
    }

    static void results(Connection c) throws Exception {
        try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE); ResultSet r = s.executeQuery("SELECT id, name, credit FROM members WHERE id <= 5 ORDER BY id")) {
            attempt("scrolling", () -> r.last() + " " + r.getRow() + " " + r.absolute(2) + " " + r.getString("name") + " " + r.relative(-1) + " " + r.getInt(1) + " " + r.previous() + " " + r.isBeforeFirst());
            attempt("updateRow", () -> {
                r.absolute(2);
                r.updateString("name", "updated");
                r.updateBigDecimal("credit", new BigDecimal("9.5"));
                r.updateRow();
                return query(c, "SELECT id, name, credit FROM members WHERE id = 2");
            });
            attempt("insertRow", () -> {
                r.moveToInsertRow();
                r.updateInt("id", 40);
                r.updateString("name", "inserted");
                r.updateBigDecimal("credit", BigDecimal.ONE);
                r.insertRow();
                return query(c, "SELECT id, name, credit FROM members WHERE id = 40");
            });
            attempt("deleteRow", () -> {
                r.absolute(r.last() ? r.getRow() : 1);
                r.deleteRow();
                return query(c, "SELECT COUNT(*) FROM members WHERE id > 7");
            });
        }
        run(c, "DELETE FROM members WHERE id > 7");
        try (Statement s = c.createStatement(ResultSet.TYPE_FORWARD_ONLY, ResultSet.CONCUR_READ_ONLY)) {
            s.setFetchSize(Integer.MIN_VALUE);
            attempt("streaming", () -> describe(s.executeQuery("SELECT id, name FROM members WHERE id < 8 ORDER BY id"), false));
        } catch (SQLException e) {
            say("fetch size", e.getMessage());
        }
        try (PreparedStatement p = c.prepareStatement("SELECT id, name FROM members WHERE id < ? ORDER BY id")) {
            p.setFetchSize(2);
            p.setInt(1, 6);
            attempt("fetch size", () -> describe(p.executeQuery(), false));
        }
        try (Statement s = c.createStatement(); ResultSet r = s.executeQuery("SELECT * FROM members WHERE id = 1")) {
            r.next();
            attempt("values", () -> r.getInt("id") + " " + r.getLong(1) + " " + r.getString("big") + " " + r.getBoolean("small") + " " + r.getDate("born") + " " + r.getTimestamp("dt") + " " + r.getTime("t")
                + " " + r.getBigDecimal("credit") + " " + hex(r.getBytes("raw")) + " " + r.getObject("y") + " " + r.getFloat("f") + " " + r.getObject("dt", java.time.LocalDateTime.class)
                + " " + new String(r.getBytes("name"), StandardCharsets.UTF_8) + " " + r.findColumn("kind") + " " + hex(r.getBytes("bits")) + " " + r.getClob("body").getSubString(1, 4));
            attempt("a value that does not fit", () -> r.getInt("big"));
            attempt("no such column", () -> r.getInt("nothing"));
        }
    }

    static void transactions(Connection c) throws Exception {
        say("isolation", c.getTransactionIsolation() + " " + c.getAutoCommit() + " " + c.isReadOnly());
        c.setAutoCommit(false);
        run(c, "INSERT INTO members (id, name) VALUES (50, 'tx'), (51, 'tx'), (52, 'tx')");
        Savepoint sp = c.setSavepoint("here");
        run(c, "UPDATE members SET name = 'later' WHERE id >= 50", "INSERT INTO labels VALUES ('tx', 'tx')");
        attempt("in a transaction", () -> query(c, "SELECT id, name FROM members WHERE id >= 50 ORDER BY id") + query(c, "SELECT COUNT(*) FROM labels"));
        c.rollback(sp);
        attempt("after ROLLBACK TO", () -> query(c, "SELECT id, name FROM members WHERE id >= 50 ORDER BY id") + query(c, "SELECT COUNT(*) FROM labels"));
        c.releaseSavepoint(c.setSavepoint());
        c.commit();
        run(c, "DELETE FROM members WHERE id >= 50");
        c.rollback();
        attempt("after ROLLBACK", () -> query(c, "SELECT COUNT(*) FROM members WHERE id >= 50"));
        run(c, "DELETE FROM members WHERE id >= 50");
        c.commit();
        c.setAutoCommit(true);
        for (int level : new int[] {Connection.TRANSACTION_READ_UNCOMMITTED, Connection.TRANSACTION_READ_COMMITTED, Connection.TRANSACTION_SERIALIZABLE, Connection.TRANSACTION_REPEATABLE_READ}) {
            c.setTransactionIsolation(level);
            say("isolation " + level, c.getTransactionIsolation() + " " + query(c, "SELECT 1"));
        }
        attempt("read only", () -> { c.setReadOnly(true); try { run(c, "UPDATE notes SET n = 1"); return "written"; } finally { c.setReadOnly(false); } });
        attempt("rollback without a transaction", () -> { c.rollback(); return "fine"; });
    }

    static void procedures(Connection c) throws Exception {
        try (CallableStatement p = c.prepareCall("{call twice(?, ?, ?)}")) {
            p.setInt(1, 21);
            p.setString(2, "ab");
            p.registerOutParameter(2, Types.VARCHAR);
            p.registerOutParameter(3, Types.DECIMAL);
            attempt("a procedure", () -> {
                StringBuilder out = new StringBuilder();
                for (boolean rows = p.execute(); rows; rows = p.getMoreResults()) out.append(describe(p.getResultSet(), false)).append("; ");
                return out + p.getString(2) + " " + p.getBigDecimal(3);
            });
        } catch (SQLException e) {
            say("prepareCall throws", e.getErrorCode() + " " + e.getMessage());
        }
        attempt("a function", () -> { try (CallableStatement p = c.prepareCall("{? = call half(?)}")) { p.registerOutParameter(1, Types.DOUBLE); p.setInt(2, 5); p.execute(); return p.getDouble(1); } });
    }

    static void large(Connection c) throws Exception {
        // MariaDB's driver loses its connection, also one server's, when it compresses more than 16 MiB.
        boolean torn = c.getMetaData().getURL().startsWith("jdbc:mariadb") && c.getMetaData().getURL().contains("useCompression=true");
        byte[] big = new byte[torn ? 15 << 20 : 17 << 20];
        new Random(1).nextBytes(big);
        try (PreparedStatement p = c.prepareStatement("INSERT INTO blobs VALUES (?, ?)")) {
            p.setInt(1, 1);
            p.setBytes(2, big);
            attempt("a large blob", () -> p.executeUpdate());
            p.setInt(1, 2);
            p.setBlob(2, new ByteArrayInputStream(big, 0, 1 << 20));
            attempt("a stream", () -> p.executeUpdate());
        }
        try (PreparedStatement p = c.prepareStatement("SELECT b, CRC32(b) FROM blobs WHERE id = ?")) {
            p.setInt(1, 1);
            ResultSet r = p.executeQuery();
            say("the blob", r.next() + " " + Arrays.equals(big, r.getBytes(1)) + " " + r.getString(2));
        }
        attempt("all blobs", () -> query(c, "SELECT id, LENGTH(b) FROM blobs ORDER BY id"));
    }

    static void connection(Connection c, String[] args) throws Exception {
        say("catalog", c.getCatalog() + " " + c.getSchema() + " " + c.isValid(5) + " " + c.getHoldability() + " " + c.nativeSQL("{fn NOW()}"));
        attempt("escapes", () -> query(c, "SELECT {fn CONCAT('a', 'b')}, {d '2020-01-02'}, {ts '2020-01-02 03:04:05'}"));
        attempt("setCatalog", () -> { c.setCatalog("information_schema"); String is = c.getCatalog() + query(c, "SELECT DATABASE()"); c.setCatalog(schema); return is + c.getCatalog(); });
        attempt("setCatalog of nothing", () -> { c.setCatalog("nowhere"); return c.getCatalog(); });
        attempt("names", () -> query(c, "SELECT @@character_set_client, @@character_set_results, @@collation_connection"));
        attempt("client info", () -> { c.setClientInfo("ApplicationName", "compat"); return c.getClientInfo("ApplicationName"); });
        attempt("network timeout", () -> { c.setNetworkTimeout(Runnable::run, 5000); return c.getNetworkTimeout(); });
        attempt("wrong password", () -> DriverManager.getConnection(args[0], args[1], "wrong"));
        attempt("abort", () -> { Connection other = DriverManager.getConnection(args[0], args[1], args[2]); other.abort(Runnable::run); return other.isClosed() + " " + other.isValid(1); });
    }
}
