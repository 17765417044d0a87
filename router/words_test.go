package router

import "testing"

func TestNameless(t *testing.T) {
	for text, want := range map[string]bool{
		"alter table t add key ( v )":                                       true,
		"alter table t add unique ( v )":                                    true,
		"alter table t add c int , add fulltext index ( v )":                true,
		"alter table t add index using btree ( v )":                         true,
		"alter table t add foreign key ( v ) references p ( v )":            true,
		"alter table t add constraint foreign key ( v ) references p ( v )": true,
		"alter table t add constraint check ( v > ? )":                      true,
		"alter table t modify v int unique":                                 true,
		"alter table t add primary key ( v )":                               false,
		"alter table t add key k ( v )":                                     false,
		"alter table t add unique key `key` using btree ( v )":              false,
		"alter table t add constraint c unique ( v )":                       false,
		"alter table t add constraint `c` check ( v > ? )":                  false,
		"alter table t add ( v int , w int )":                               false,
		"alter table t add column v int unique":                             false,
		"alter table t modify v int ( ? ) not null , drop key k":            false,
		"alter table t add constraint":                                      false,
		"alter table t add":                                                 false,
	} {
		if got := nameless(wordsOf([]byte(text))); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
