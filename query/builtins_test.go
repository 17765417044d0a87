package query

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/go-sql-driver/mysql"

	"sluice/internal/testkit"
)

var parserNames = []string{"char_func", "dateliteral", "default_func", "insert_func", "password_func", "json_memberof"}

// TestBuiltinsAreTheServers: what isBuiltin knows of each kind of server is no name for which that server
// looks among the stored functions.
func TestBuiltinsAreTheServers(t *testing.T) {
	text, err := os.ReadFile("builtins.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, flavor := range testkit.Flavors() {
		t.Run(flavor.String(), func(t *testing.T) {
			server := testkit.Shared(t, flavor, 0)
			db := server.DB(t, "mysql")
			mode := Version(server.Value("SELECT VERSION()"))
			for _, m := range regexp.MustCompile(`"([a-z0-9_]+)"`).FindAllSubmatch(text, -1) {
				name := string(m[1])
				if slices.Contains(parserNames, name) {
					continue
				}
				_, err := db.Exec("DO " + name + "(1, 1)")
				var e *mysql.MySQLError
				if stored := errors.As(err, &e) && e.Number == 1305; stored == isBuiltin(name, mode) {
					t.Errorf("%q: a stored function: %v", name, stored)
				}
			}
		})
	}
}
