package compat

import (
	"net/url"
	"testing"

	"sluice/internal/testkit"
)

// TestAdminer uses Adminer, which asks information_schema and SHOW for everything.
func TestAdminer(t *testing.T) {
	onlyFull(t)
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			t.Parallel()
			runAdminer(t, flavor)
		})
	}
}

func runAdminer(t *testing.T, flavor testkit.Flavor) {
	w := newWorld(t, flavor, options{rules: toolRules})
	root := apps(t, "usr", "share", "adminer")
	var sites []*site
	for _, on := range w.targets() {
		tool{argv: "mariadb" + login + "SCHEMA", in: "source testdata/tools/shop.sql"}.run(t, on, t.TempDir())
		sites = append(sites, startSite(t, on, "adminer.example", root))
	}
	eachSite(sites, adminer)
	for _, s := range sites[1:] {
		same, all := comparePages(t, sites[0], s)
		matrix.record(result{Client: "Adminer 4.8.1, PHP 8.2", Server: serverName(s.on.flavor), Mode: s.on.name, What: "pages", Passed: same, Of: all})
	}
}

func adminer(s *site) {
	base := "/adminer/index.php?" + url.Values{"server": {s.on.addr()}, "username": {"app"}, "db": {s.on.schema}}.Encode()
	s.get("/adminer/index.php")
	s.post("/adminer/index.php", url.Values{"auth[driver]": {"server"}, "auth[server]": {s.on.addr()}, "auth[username]": {"app"}, "auth[password]": {"app"}, "auth[db]": {s.on.schema}})
	token := func(page string) string { return s.find(page, `name='token' value='([0-9:]+)'`) }
	s.get(base)
	for _, page := range []string{"&table=members", "&table=labels", "&select=members&order%5B0%5D=id", "&select=posts&order%5B0%5D=post_id&limit=3&page=1", "&select=members&columns%5B0%5D%5Bfun%5D=count&columns%5B0%5D%5Bcol%5D=",
		"&select=members&where%5B0%5D%5Bcol%5D=name&where%5B0%5D%5Bop%5D=LIKE+%25%25&where%5B0%5D%5Bval%5D=t&order%5B0%5D=name", "&edit=members&where%5Bid%5D=2", "&create=members", "&indexes=posts", "&schema=", "&dump=", "&privileges="} {
		s.get(base + page)
	}
	sql := s.get(base + "&sql=")
	s.post(base+"&sql=", url.Values{"token": {token(sql)}, "query": {"SELECT m.name, COUNT(*) n FROM members m JOIN posts p ON p.member_id = m.id GROUP BY m.name ORDER BY 1; SELECT * FROM labels ORDER BY code; UPDATE notes SET n = n + 1; SELECT nothing"}, "limit": {"50"}})
	edit := s.get(base + "&edit=members&where%5Bid%5D=3")
	s.post(base+"&edit=members&where%5Bid%5D=3", url.Values{"token": {token(edit)}, "fields[id]": {"3"}, "fields[name]": {"by adminer"}, "fields[email]": {"a@b"}, "fields[credit]": {"7"}, "fields[kind]": {"2"}})
	add := s.get(base + "&edit=members")
	s.post(base+"&edit=members", url.Values{"token": {token(add)}, "fields[name]": {"new by adminer"}, "fields[credit]": {"1"}, "fields[kind]": {"1"}})
	s.get(base + "&select=members&order%5B0%5D=id")
	dump := s.get(base + "&dump=")
	s.post(base+"&dump=", url.Values{"token": {token(dump)}, "output": {"text"}, "format": {"sql"}, "table_style": {"DROP+CREATE"}, "data_style": {"INSERT"}, "tables[]": {"members", "labels"}, "data[]": {"labels"}})
	s.get(base + "&dump=labels&format=csv&output=text")
}
