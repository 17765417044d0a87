<?php
/*
Plugin Name: Visits
Description: Does with the database what plugins do: makes tables, changes them, and reads and writes with all of $wpdb.
Version: 1.0
*/
register_activation_hook(__FILE__, 'visits_tables');
register_uninstall_hook(__FILE__, 'visits_uninstall');

function visits_tables(bool $more = false): array {
    global $wpdb;
    require_once ABSPATH . 'wp-admin/includes/upgrade.php';
    $column = $more ? "referrer varchar(191) DEFAULT '' NOT NULL,\n" : '';
    $index = $more ? ",\n  KEY referrer (referrer(100))" : '';
    return dbDelta("CREATE TABLE {$wpdb->prefix}visits (
  visit_id bigint(20) unsigned NOT NULL auto_increment,
  user_id bigint(20) unsigned NOT NULL default '0',
  page varchar(200) NOT NULL default '',
  seen datetime NOT NULL default '0000-00-00 00:00:00',
  amount decimal(10,2) DEFAULT NULL,
  body longtext,
  {$column}PRIMARY KEY  (visit_id),
  KEY user_id (user_id),
  KEY page (page(50)){$index}
) {$wpdb->get_charset_collate()};
CREATE TABLE {$wpdb->prefix}visit_pages (
  page varchar(100) NOT NULL,
  hits int(11) NOT NULL default '0',
  PRIMARY KEY  (page)
) {$wpdb->get_charset_collate()};");
}

function visits_uninstall(): void {
    global $wpdb;
    $wpdb->query("DROP TABLE IF EXISTS {$wpdb->prefix}visits, {$wpdb->prefix}visit_pages");
}

add_action('wp_ajax_nopriv_visits', 'visits_page');
add_action('wp_ajax_visits', 'visits_page');
function visits_page(): void {
    global $wpdb;
    $out = [];
    $say = function (string $what, $value) use (&$out, $wpdb) {
        $out[] = [$what, $value, 'rows' => $wpdb->rows_affected, 'num' => $wpdb->num_rows, 'id' => $wpdb->insert_id, 'error' => $wpdb->last_error];
    };
    $v = $wpdb->prefix . 'visits';
    $p = $wpdb->prefix . 'visit_pages';
    for ($i = 1; $i <= 12; $i++) {
        $say('insert', $wpdb->insert($v, ['user_id' => $i % 5, 'page' => "/p$i 'quoted' \\ 100%", 'seen' => sprintf('2024-02-%02d 10:00:00', $i), 'amount' => $i / 4, 'body' => "тест 😀 $i"], ['%d', '%s', '%s', '%f', '%s']));
    }
    $say('insert null', $wpdb->insert($v, ['user_id' => 3, 'page' => '/null', 'seen' => '2024-03-01', 'amount' => null]));
    $say('replace', $wpdb->replace($v, ['visit_id' => 2, 'user_id' => 2, 'page' => '/replaced', 'seen' => '2024-03-02 00:00:00']));
    $say('update', $wpdb->update($v, ['page' => '/updated'], ['user_id' => 3]));
    $say('update by two', $wpdb->update($v, ['page' => '/null again'], ['user_id' => 3, 'amount' => null]));
    $say('update same', $wpdb->update($v, ['page' => '/updated'], ['page' => '/updated']));
    $say('delete', $wpdb->delete($v, ['visit_id' => 5]));
    $say('delete by user', $wpdb->delete($v, ['user_id' => 4], ['%d']));
    foreach (['/a', '/b', '/a', '/c', '/a'] as $page) {
        $say('upsert', $wpdb->query($wpdb->prepare("INSERT INTO $p (page, hits) VALUES (%s, 1) ON DUPLICATE KEY UPDATE hits = hits + 1", $page)));
    }
    $say('ignore', $wpdb->query("INSERT IGNORE INTO $p VALUES ('/a', 9), ('/z', 1)"));
    $say('all', $wpdb->get_results("SELECT * FROM $v ORDER BY visit_id", ARRAY_A));
    $say('assoc', $wpdb->get_results("SELECT page, hits FROM $p ORDER BY page", OBJECT_K));
    $say('row', $wpdb->get_row($wpdb->prepare("SELECT * FROM $v WHERE visit_id = %d", 3)));
    $say('row of user', $wpdb->get_row($wpdb->prepare("SELECT * FROM $v WHERE user_id = %d ORDER BY visit_id LIMIT 1", 3), ARRAY_N));
    $say('col', $wpdb->get_col("SELECT DISTINCT user_id FROM $v ORDER BY user_id DESC"));
    $say('info', [$wpdb->get_col_info('name'), $wpdb->get_col_info('type'), $wpdb->get_col_info('max_length'), $wpdb->get_col_info('table')]);
    $say('var', $wpdb->get_var("SELECT COUNT(*) FROM $v"));
    $say('sum', $wpdb->get_var("SELECT SUM(amount) FROM $v"));
    $say('avg', $wpdb->get_results("SELECT user_id, AVG(amount) a, COUNT(*) n, MAX(seen) m FROM $v GROUP BY user_id HAVING n > 1 ORDER BY a"));
    $say('like', $wpdb->get_col($wpdb->prepare("SELECT visit_id FROM $v WHERE page LIKE %s ORDER BY 1", '%' . $wpdb->esc_like("'quoted' \\ 100%") . '%')));
    $say('emoji', $wpdb->get_col("SELECT visit_id FROM $v WHERE body LIKE '%😀 1%' ORDER BY visit_id"));
    $say('in', $wpdb->get_col("SELECT page FROM $v WHERE user_id IN (1,2,3) ORDER BY seen DESC, visit_id LIMIT 2, 3"));
    $say('found', $wpdb->get_col("SELECT SQL_CALC_FOUND_ROWS visit_id FROM $v WHERE user_id > 0 ORDER BY visit_id LIMIT 3"));
    $say('rows', $wpdb->get_var('SELECT FOUND_ROWS()'));
    $say('join users', $wpdb->get_results("SELECT u.user_login, COUNT(v.visit_id) n FROM {$wpdb->users} u LEFT JOIN $v v ON v.user_id = u.ID GROUP BY u.ID, u.user_login ORDER BY u.user_login"));
    $say('exists', $wpdb->get_col("SELECT user_login FROM {$wpdb->users} u WHERE EXISTS (SELECT * FROM $v v WHERE v.user_id = u.ID) ORDER BY user_login"));
    $say('date', $wpdb->get_results("SELECT YEAR(seen) y, MONTH(seen) m, COUNT(*) c FROM $v GROUP BY y, m ORDER BY y DESC, m DESC"));
    $wpdb->suppress_errors(true);
    $say('syntax', $wpdb->query("SELEC 1"));
    $say('no table', $wpdb->query("SELECT * FROM {$wpdb->prefix}nothing"));
    $say('duplicate', $wpdb->query("INSERT INTO $p VALUES ('/a', 1)"));
    $say('too long', $wpdb->insert($p, ['page' => str_repeat('x', 300), 'hits' => 1]));
    $wpdb->suppress_errors(false);
    $wpdb->query('START TRANSACTION');
    $say('in transaction', $wpdb->query("UPDATE $p SET hits = hits + 100"));
    $wpdb->query('ROLLBACK');
    $say('rolled back', $wpdb->get_col("SELECT hits FROM $p ORDER BY page"));
    $say('again', visits_tables());
    $say('changed', visits_tables(true));
    $say('changed again', visits_tables(true));
    $say('describe', $wpdb->get_results("DESCRIBE $v"));
    $say('index', $wpdb->get_results("SELECT INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '$v' ORDER BY 1, 2"));
    $say('table there', $wpdb->get_var($wpdb->prepare('SHOW TABLES LIKE %s', $wpdb->esc_like($v))));
    $say('full columns', $wpdb->get_results("SHOW FULL COLUMNS FROM $p"));
    $say('charset', [$wpdb->get_col_charset($v, 'body'), $wpdb->get_col_length($p, 'page'), $wpdb->has_cap('utf8mb4'), $wpdb->has_cap('utf8mb4_520'), $wpdb->charset, $wpdb->collate]);
    $say('truncate', $wpdb->query("TRUNCATE TABLE $p"));
    $say('empty', $wpdb->get_var("SELECT COUNT(*) FROM $p"));
    wp_send_json($out);
}
