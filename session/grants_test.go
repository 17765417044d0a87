package session

import "testing"

func TestGranted(t *testing.T) {
	const to = " TO `sluice`@`%`"
	for _, try := range []struct {
		want  bool
		lines []string
	}{
		{true, []string{"GRANT ALL PRIVILEGES ON *.*" + to + " IDENTIFIED BY PASSWORD '*2A' WITH GRANT OPTION"}},
		{true, []string{"GRANT USAGE ON *.*" + to, "GRANT SELECT, TRIGGER ON `shop`.*" + to}},
		{true, []string{`GRANT ALL PRIVILEGES ON "sho%".* TO "sluice"@"%"`}},
		{true, []string{"GRANT USAGE ON *.*" + to, "GRANT `r`@`%`" + to, "GRANT SELECT ON `shop`.*" + to, "GRANT TRIGGER ON `shop`.* TO `r`"}},
		{false, []string{"GRANT SELECT, INSERT, CREATE VIEW ON *.*" + to}},
		{false, []string{"GRANT ALL PRIVILEGES ON `shop2`.*" + to, `GRANT ALL PRIVILEGES ON ` + "`s\\_op`.*" + to, "GRANT ALL PRIVILEGES ON `sho`.*" + to}},
		{false, []string{"GRANT ALL PRIVILEGES ON `sho%`.*" + to, "GRANT SELECT ON `shop`.*" + to}}, // the narrower one decides
		{true, []string{"GRANT SELECT ON `%`.*" + to, "GRANT ALL PRIVILEGES ON `shop`.*" + to}},     // here, too
		{false, []string{"GRANT SELECT ON `%`.*" + to, "GRANT ALL PRIVILEGES ON `sho_`.*" + to}},
		{false, []string{"GRANT TRIGGER ON `shop`.`p`" + to}},
		{false, []string{"GRANT SELECT, TRIGGER ON *.*" + to, "REVOKE TRIGGER ON `shop`.* FROM `sluice`@`%`"}},
		{false, nil},
	} {
		if got := granted(try.lines, "TRIGGER", "shop"); got != try.want {
			t.Errorf("%q: %v", try.lines, got)
		}
	}
}
