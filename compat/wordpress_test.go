package compat

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"sluice/internal/testkit"
)

// wordpressRules shard WordPress by its users, as somebody would who runs it for millions.
const wordpressRules = `      tables:
        wp_users:    {shard_key: ID}
        wp_usermeta: {shard_key: user_id}
        wp_posts:    {shard_key: post_author}
        wp_visits:   {shard_key: user_id}
`

// TestWordPress installs and uses WordPress on all three targets; every page, every error in
// its log and at last every table must be the same.
func TestWordPress(t *testing.T) {
	t.Parallel()
	for _, flavor := range testkit.Flavors() {
		if flavor != testkit.MariaDBFlavor && !full() {
			continue
		}
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			runWordPress(t, flavor)
		})
	}
}

func runWordPress(t *testing.T, flavor testkit.Flavor) {
	w := newWorld(t, flavor, options{rules: wordpressRules})
	targets := w.targets()
	if !full() {
		targets = []*target{w.plain, w.sharded}
	}
	sites := wordpressSites(t, targets)
	eachSite(sites, wordpress)
	for _, s := range sites[1:] {
		same, all := comparePages(t, sites[0], s)
		t.Logf("%s: %d of %d pages are the same", s.on.name, same, all)
		matrix.record(result{Client: "WordPress 6.1.9, PHP 8.2", Server: serverName(flavor), Mode: s.on.name, What: "pages", Passed: same, Of: all})
		if d := diff(t, logged(t, sites[0]), logged(t, s)); d != "" {
			t.Errorf("%s: the log differs:\n%s", s.on.name, d)
		}
		compareTables(t, sites[0], s)
	}
}

func wordpressSites(t *testing.T, targets []*target) (sites []*site) {
	t.Helper()
	root := filepath.Join(testkit.Dir(t, "wordpress"), "root")
	if err := os.CopyFS(root, os.DirFS(apps(t, "usr", "share", "wordpress"))); err != nil {
		t.Fatal(err)
	}
	copyFile(t, "testdata/wordpress/wp-config.php", filepath.Join(root, "wp-config.php"))
	for _, on := range targets {
		content := filepath.Join(filepath.Dir(root), "content-"+on.name)
		if err := os.CopyFS(content, os.DirFS(filepath.Join(root, "wp-content"))); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(content, "plugins"), 0o755); err != nil {
			t.Fatal(err)
		}
		copyFile(t, "testdata/wordpress/visits.php", filepath.Join(content, "plugins", "visits.php"))
		sites = append(sites, startSite(t, on, "wp.example", root, "WP_DB_NAME="+on.schema, "WP_DB_USER="+on.user, "WP_DB_PASSWORD="+on.password,
			"WP_DB_HOST="+on.addr(), "WP_CONTENT="+content))
	}
	return sites
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

// logged is what WordPress wrote about its database: nothing else is expected there.
func logged(t *testing.T, s *site) string {
	t.Helper()
	b, err := os.ReadFile(s.log)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^\[.* UTC\] `).ReplaceAllString(string(b), "")
	text = regexp.MustCompile(`(?m)^.*Something may be wrong with WordPress\.org.*\n`).ReplaceAllString(text, "") // which is asked now and then
	return s.normalise(text)
}

// compareTables holds all rows of all tables against the plain site's.
func compareTables(t *testing.T, want, got *site) {
	t.Helper()
	tables := func(s *site) []string { return queryRows(t, s.on.db(t), "SHOW TABLES") }
	if d := diff(t, strings.Join(tables(want), "\n"), strings.Join(tables(got), "\n")); d != "" {
		t.Errorf("%s: tables:\n%s", got.on.name, d)
	}
	for _, table := range tables(want) {
		all := func(s *site) string {
			rows := queryRows(t, s.on.db(t), "SELECT * FROM "+table)
			for i := range rows {
				rows[i] = s.normalise(rows[i])
				if _, rest, _ := strings.Cut(rows[i], "\t"); table == "wp_usermeta" { // its ids, which nothing names, are a sequence's: they may have gaps
					rows[i] = rest
				}
			}
			sort.Strings(rows)
			return strings.Join(rows, "\n")
		}
		if d := diff(t, all(want), all(got)); d != "" {
			t.Errorf("%s: table %s:\n%s", got.on.name, table, d)
		}
	}
}

// rest calls WordPress's REST interface as the browser's editor does.
func (s *site) rest(method, path string, body any) string {
	b, err := json.Marshal(body)
	if err != nil {
		s.fail("%v", err)
	}
	if body == nil {
		b = nil
	}
	path, query, _ := strings.Cut(path, "?")
	if query != "" {
		query = "&" + query
	}
	return s.do(method, "/?rest_route=/wp/v2"+path+query, "application/json", b, "X-WP-Nonce", s.nonce)
}

func (s *site) login(user, password string) {
	s.get("/wp-login.php")
	s.post("/wp-login.php", url.Values{"log": {user}, "pwd": {password}, "wp-submit": {"Log In"}, "redirect_to": {"http://wp.example/wp-admin/"}, "testcookie": {"1"}})
	s.nonce = strings.TrimSpace(s.get("/wp-admin/admin-ajax.php?action=rest-nonce"))
	if len(s.nonce) != 10 {
		s.fail("login of %s: no nonce but %.300s", user, s.nonce)
	}
}

type object = map[string]any

// wordpress is what the people of a site do with it.
func wordpress(s *site) {
	s.install()
	s.login("admin", "pw of admin")
	s.people()
	s.articles()
	s.plugin()
	if full() {
		s.discussion()
		s.reading()
		s.settings()
		s.removal()
	}
}

func (s *site) install() {
	s.get("/wp-admin/install.php")
	s.post("/wp-admin/install.php?step=2", url.Values{"weblog_title": {"Compatible 'quoted' ünïcode"}, "user_name": {"admin"}, "admin_password": {"pw of admin"},
		"admin_password2": {"pw of admin"}, "pw_weak": {"on"}, "admin_email": {"admin@wp.example"}, "blog_public": {"1"}, "Submit": {"Install WordPress"}})
	s.get("/wp-admin/install.php") // already installed
	s.get("/")
	s.get("/?p=1")
}

// people makes users: ten by the editor's interface, one with the form.
func (s *site) people() {
	s.get("/wp-admin/")
	for i := 2; i <= 9; i++ { // articles and removal know these
		role := []string{"subscriber", "author", "editor"}[i%3]
		s.rest("POST", "/users", object{"username": fmt.Sprintf("user%d", i), "email": fmt.Sprintf("user%d@wp.example", i), "password": fmt.Sprintf("pw of %d", i),
			"roles": []string{role}, "first_name": fmt.Sprintf("First%d", i), "last_name": "Läst", "description": "it's me \\ \"quoted\" 😀", "nickname": fmt.Sprintf("nick%d", i)})
	}
	s.rest("POST", "/users", object{"username": "user3", "email": "other@wp.example", "password": "x"}) // the name is taken
	s.rest("POST", "/users", object{"username": "user33", "email": "user3@wp.example", "password": "x"})
	form := s.get("/wp-admin/user-new.php")
	s.post("/wp-admin/user-new.php", url.Values{"action": {"createuser"}, "_wpnonce_create-user": {s.find(form, `name="_wpnonce_create-user" value="([0-9a-f]+)"`)},
		"user_login": {"formed"}, "email": {"formed@wp.example"}, "first_name": {"Form"}, "last_name": {"Ed"}, "pass1": {"pw of formed"}, "pass2": {"pw of formed"},
		"pw_weak": {"on"}, "role": {"author"}, "createuser": {"Add New User"}})
	s.rest("GET", "/users?context=edit&per_page=100&orderby=id", nil)
	s.rest("GET", "/users?context=edit&per_page=3&page=2&orderby=name&order=desc", nil)
	s.rest("GET", "/users?context=edit&roles=author&orderby=email", nil)
	s.rest("GET", "/users?context=edit&search=user&orderby=registered_date", nil)
	s.rest("GET", "/users?context=edit&include=3,5,4&orderby=include", nil)
	s.rest("GET", "/users?context=edit&slug=user4,user5&orderby=slug", nil)
	s.rest("GET", "/users?who=authors", nil)
	s.rest("POST", "/users/4", object{"description": "changed", "email": "four@wp.example", "roles": []string{"author"}})
	s.rest("POST", "/users/me", object{"locale": "", "url": "http://me.example"})
	for _, list := range []string{"", "?orderby=username&order=desc", "?orderby=email&order=asc", "?role=subscriber", "?s=First5", "?s=user%40&orderby=name", "?role=none"} {
		s.get("/wp-admin/users.php" + list)
	}
	s.get("/wp-admin/user-edit.php?user_id=5")
	profile := s.get("/wp-admin/profile.php")
	s.post("/wp-admin/profile.php", url.Values{"_wpnonce": {s.find(profile, `id="_wpnonce" name="_wpnonce" value="([0-9a-f]+)"`)}, "from": {"profile"}, "checkuser_id": {"1"},
		"admin_color": {"midnight"}, "admin_bar_front": {"1"}, "first_name": {"Ad"}, "last_name": {"Min"}, "nickname": {"admin"}, "display_name": {"Ad Min"},
		"email": {"admin@wp.example"}, "url": {"http://wp.example"}, "description": {"The <b>admin</b>"}, "action": {"update"}, "user_id": {"1"}})
}

// articles writes posts of several authors, changes them and gives one to another author.
func (s *site) articles() {
	for _, name := range []string{"News", "Food", "Travel"} {
		s.rest("POST", "/categories", object{"name": name, "description": "All about " + name})
	}
	s.rest("POST", "/categories", object{"name": "Bread", "parent": 3})
	for _, name := range []string{"red", "green", "blue"} {
		s.rest("POST", "/tags", object{"name": name})
	}
	ids := make([]int, 0, 12)
	for i := range 12 {
		made := s.rest("POST", "/posts", object{"title": fmt.Sprintf("Post %d of 'many' — ü😀", i), "content": fmt.Sprintf("<!-- wp:paragraph --><p>Body %d with a needle%d</p><!-- /wp:paragraph -->", i, i%3),
			"excerpt": "short", "status": []string{"publish", "draft", "publish", "private"}[i%4], "author": 1 + i%5, "categories": []int{2 + i%3}, "tags": []int{6 + i%3},
			"date": fmt.Sprintf("2024-%02d-10T08:00:00", 1+i)})
		var post struct{ ID int }
		if json.Unmarshal([]byte(made), &post) != nil || post.ID == 0 {
			s.fail("no post was made: %.500s", made)
		}
		ids = append(ids, post.ID)
	}
	first := fmt.Sprintf("/posts/%d", ids[0])
	s.rest("GET", first+"?context=edit", nil)
	s.rest("POST", first, object{"title": "changed title", "content": "changed body with a needle"})
	s.rest("POST", first, object{"content": "changed once more", "sticky": true})
	s.rest("POST", first+"/autosaves", object{"content": "an autosave"})
	s.rest("GET", first+"/revisions", nil)
	s.rest("POST", fmt.Sprintf("/posts/%d", ids[1]), object{"author": 7, "status": "publish"}) // another author: another shard
	s.rest("POST", fmt.Sprintf("/posts/%d", ids[2]), object{"author": 2})
	s.rest("GET", fmt.Sprintf("/posts/%d?context=edit", ids[1]), nil)
	for i := range 2 {
		s.rest("POST", "/pages", object{"title": fmt.Sprintf("Page %d", i), "content": "a page", "status": "publish", "menu_order": 3 - i, "author": 3 + i})
	}
	s.do("POST", "/?rest_route=/wp/v2/media", "text/plain", []byte("a file\n"), "X-WP-Nonce", s.nonce, "Content-Disposition", `attachment; filename="file.txt"`)
	s.get("/wp-admin/upload.php?mode=list")
	edit := s.get("/wp-admin/edit.php")
	bulk := url.Values{"bulk_edit": {"Update"}, "action": {"edit"}, "_wpnonce": {s.find(edit, `id="_wpnonce" name="_wpnonce" value="([0-9a-f]+)"`)}, "post_type": {"post"},
		"post_author": {"6"}, "comment_status": {"closed"}, "ping_status": {""}, "_status": {"-1"}, "sticky": {"-1"}, "post_format": {"-1"}, "post_status": {"all"},
		"post[]": {fmt.Sprint(ids[3]), fmt.Sprint(ids[4]), fmt.Sprint(ids[5])}, "post_view": {"list"}, "screen": {"edit-post"}}
	s.get("/wp-admin/edit.php?" + bulk.Encode())
	s.get("/wp-admin/edit.php?orderby=title&order=asc")
	s.post("/wp-admin/admin-ajax.php", url.Values{"action": {"inline-save"}, "_inline_edit": {s.find(edit, `name="_inline_edit" value="([0-9a-f]+)"`)}, "post_type": {"post"},
		"post_ID": {fmt.Sprint(ids[6])}, "edit_date": {"true"}, "post_title": {"quickly edited"}, "post_name": {"quick"}, "mm": {"05"}, "jj": {"06"}, "aa": {"2023"}, "hh": {"07"},
		"mn": {"08"}, "ss": {"09"}, "post_author": {"5"}, "_status": {"publish"}, "post_view": {"list"}, "screen": {"edit-post"}, "post_status": {"all"}})
}

func (s *site) discussion() {
	for i := range 4 {
		s.post("/wp-comments-post.php", url.Values{"comment": {fmt.Sprintf("Comment %d: it's \\ \"fine\" 😀", i)}, "comment_post_ID": {"1"}, "comment_parent": {fmt.Sprint(i)}})
	}
	s.rest("POST", "/comments", object{"post": 1, "content": "by REST", "author_name": "Some One", "author_email": "some@one.example"})
	s.rest("GET", "/comments?context=edit&order=asc", nil)
	s.rest("GET", "/comments?context=edit&search=fine&per_page=2", nil)
	s.rest("POST", "/comments/2", object{"status": "hold"})
	s.rest("POST", "/comments/3", object{"status": "spam"})
	s.rest("DELETE", "/comments/4?force=true", nil)
	s.get("/wp-admin/edit-comments.php")
	s.get("/wp-admin/edit-comments.php?comment_status=moderated")
	s.get("/?p=1")
}

// reading is what visitors see.
func (s *site) reading() {
	for _, path := range []string{"/", "/?paged=2", "/?s=needle", "/?s=needle1+body&orderby=relevance", "/?s=nothing+at+all", "/?author=1", "/?author=6", "/?cat=2", "/?cat=3", "/?tag=red",
		"/?m=202403", "/?m=2024", "/?p=5", "/?page_id=2", "/?feed=rss2", "/?feed=comments-rss2", "/?feed=atom", "/?sitemap=index", "/?sitemap=users&paged=1", "/?sitemap=posts&sitemap-subtype=post&paged=1",
		"/?author_name=user3", "/?p=999999", "/?year=2024&monthnum=5&day=10", "/?category_name=food&tag=green", "/?post_type=page&orderby=title&order=asc"} {
		s.get(path)
	}
	for _, query := range []string{"?orderby=title&order=asc&per_page=5", "?search=needle2", "?author=1,2,3&orderby=author", "?author_exclude=1&orderby=id", "?categories=2&tags=6", "?status=draft,private&context=edit",
		"?before=2024-06-01T00:00:00&after=2024-02-01T00:00:00", "?offset=3&per_page=4", "?orderby=modified&per_page=2&slug=hello-world", "?orderby=relevance&search=body", "?sticky=true", "?include=1,5&orderby=include"} {
		s.rest("GET", "/posts"+query, nil)
		if strings.Contains(query, "orderby=author") {
			s.anyOrder() // of the posts of one author
		}
	}
	s.rest("GET", "/pages?orderby=menu_order&order=asc", nil)
	s.rest("GET", "/search?search=needle", nil)
	s.rest("GET", "/media", nil)
	s.rest("GET", "/types", nil)
	s.rest("GET", "/categories?orderby=count&order=desc", nil)
	for _, path := range []string{"edit.php?author=1", "edit.php?post_status=draft", "edit.php?s=needle", "edit.php?m=202403", "edit.php?cat=2", "edit.php?post_type=page", "edit-tags.php?taxonomy=category",
		"edit-tags.php?taxonomy=post_tag&orderby=count", "post.php?post=1&action=edit", "index.php", "export.php", "tools.php", "nav-menus.php", "options-reading.php"} {
		s.get("/wp-admin/" + path)
	}
}

func (s *site) plugin() {
	list := s.get("/wp-admin/plugins.php")
	s.get("/wp-admin/" + s.find(list, `href="(plugins\.php\?action=activate&amp;plugin=visits\.php[^"]*)"`))
	s.get("/wp-admin/admin-ajax.php?action=visits")
	s.get("/wp-admin/admin-ajax.php?action=visits")
	s.get("/wp-admin/plugins.php?plugin_status=active")
	deactivate := s.get("/wp-admin/plugins.php")
	s.get("/wp-admin/" + s.find(deactivate, `href="(plugins\.php\?action=deactivate&amp;plugin=visits\.php[^"]*)"`))
}

// settings changes options, lets WordPress upgrade its tables and check them.
func (s *site) settings() {
	s.rest("POST", "/settings", object{"title": "New 'title'", "description": "ein Untertitel — 😀", "posts_per_page": 4, "timezone": "Europe/Berlin"})
	form := s.get("/wp-admin/options-general.php")
	s.post("/wp-admin/options.php", url.Values{"option_page": {"general"}, "action": {"update"}, "_wpnonce": {s.find(form, `id="_wpnonce" name="_wpnonce" value="([0-9a-f]+)"`)},
		"_wp_http_referer": {"/wp-admin/options-general.php"}, "blogname": {"Named by form"}, "blogdescription": {"d"}, "siteurl": {"http://wp.example"}, "home": {"http://wp.example"},
		"new_admin_email": {"admin@wp.example"}, "users_can_register": {"1"}, "default_role": {"author"}, "timezone_string": {"Europe/Paris"}, "date_format": {"Y-m-d"}, "time_format": {"H:i"}, "start_of_week": {"1"}})
	s.get("/")
	s.on.must(s.t, "UPDATE wp_options SET option_value = '49752' WHERE option_name = 'db_version'")
	s.get("/wp-admin/upgrade.php")
	s.get("/wp-admin/upgrade.php?step=1")
	s.get("/wp-admin/site-health.php?tab=debug")
	repair := s.get("/wp-admin/maint/repair.php")
	s.get("/wp-admin/maint/" + s.find(repair, `href="(repair\.php\?repair=1[^"]*)"`))
	s.get("/wp-admin/maint/" + s.find(repair, `href="(repair\.php\?repair=2[^"]*)"`))
	s.get("/wp-admin/export.php?download=true&content=all")
	s.anyOrder() // its SELECTs have no ORDER BY
	s.get("/wp-admin/export.php?download=true&content=posts&cat=2&post_author=1")
	s.anyOrder()
}

// removal takes away posts, users with and without their posts, and the plugin's tables.
func (s *site) removal() {
	s.rest("DELETE", "/posts/5", nil)
	s.rest("DELETE", "/posts/6?force=true", nil)
	s.get("/wp-admin/edit.php?post_status=trash&post_type=post")
	s.rest("DELETE", "/categories/2?force=true", nil)
	s.rest("DELETE", "/users/3?force=true&reassign=4", nil)
	s.rest("DELETE", "/users/2?force=true&reassign=false", nil)
	users := s.get("/wp-admin/users.php")
	confirm := s.get("/wp-admin/" + s.find(users, `href='(users\.php\?action=delete&amp;user=6&amp;_wpnonce=[0-9a-f]+)'`))
	s.post("/wp-admin/users.php", url.Values{"action": {"dodelete"}, "_wpnonce": {s.find(confirm, `id="_wpnonce" name="_wpnonce" value="([0-9a-f]+)"`)}, "users[]": {"6"},
		"delete_option": {"reassign"}, "reassign_user": {"1"}})
	s.rest("GET", "/posts?context=edit&status=any&per_page=100&orderby=id", nil)
	s.post("/wp-login.php?action=register", url.Values{"user_login": {"visitor"}, "user_email": {"visitor@wp.example"}})
	list := s.get("/wp-admin/plugins.php")
	s.post("/wp-admin/plugins.php?action=delete-selected&checked%5B%5D=visits.php&verify-delete=1&_wpnonce="+s.find(list, `id="_wpnonce" name="_wpnonce" value="([0-9a-f]+)"`), url.Values{})
	sure := s.get("/wp-login.php?action=logout")
	s.get("/" + s.find(sure, `href="http://wp.example/(wp-login\.php\?action=logout[^"]*)"`))
	s.login("user4", "pw of 4")
	s.get("/wp-admin/profile.php")
	s.get("/wp-admin/edit.php")
}
