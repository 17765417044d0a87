package testkit

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// A server's first start makes its data directory, which takes seconds. So one is made per
// machine, server version and revision of the recipe below, and copied for each server: its
// files are mostly holes, and the copy takes tens of milliseconds.

// accounts are in every template.
const accounts = `CREATE USER IF NOT EXISTS 'root'@'%';
GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;
CREATE USER 'sluice'@'%' IDENTIFIED BY 'sluice';
GRANT ALL PRIVILEGES ON *.* TO 'sluice'@'%' WITH GRANT OPTION;
`

// bootstrapPrologue is what MariaDB's bootstrap mode needs before it knows accounts. Those of
// other hosts go: the server would prefer them to the ones of every host.
const bootstrapPrologue = `FLUSH PRIVILEGES;
DELETE FROM mysql.global_priv WHERE User = '' OR Host NOT IN ('localhost', '%');
DELETE FROM mysql.proxies_priv WHERE Host <> 'localhost';
FLUSH PRIVILEGES;
`

// program is how one flavour of server is run.
type program struct {
	flavor  Flavor
	argv    []string // the program with what it needs to find its own files
	env     []string
	version string
}

var programs = map[Flavor]func() (*program, error){
	MariaDBFlavor: sync.OnceValues(findMariaDB),
	MySQLFlavor:   sync.OnceValues(findMySQL),
}

func findMariaDB() (*program, error) {
	path, err := exec.LookPath("mariadbd")
	if err != nil {
		path = "/usr/sbin/mariadbd" // sbin is in the PATH of root alone
	}
	return newProgram(MariaDBFlavor, []string{path, "--no-defaults"}, nil, "Debian's package mariadb-server")
}

// mysqlRoot is where Oracle's server is unpacked, with all libraries it needs: Debian's
// stable releases have no package of it.
func mysqlRoot() string {
	if dir := os.Getenv("SLUICE_MYSQL"); dir != "" {
		return dir
	}
	return "/var/cache/sluice/mysql9"
}

// inMySQLRoot runs a program of Oracle's by the loader and libraries of its own root, without
// chroot: so its data lie anywhere and no privilege is needed.
func inMySQLRoot(program string) (argv []string, err error) {
	root := mysqlRoot()
	loaders, _ := filepath.Glob(filepath.Join(root, "usr/lib64/ld-linux-*.so.*"))
	if len(loaders) == 0 {
		loaders, _ = filepath.Glob(filepath.Join(root, "usr/lib/ld-linux-*.so.*"))
	}
	if len(loaders) == 0 {
		return nil, fmt.Errorf("no MySQL in %s: unpack Debian sid's mysql-server-core there (make test does) or set SLUICE_MYSQL", root)
	}
	libs, _ := filepath.Glob(filepath.Join(root, "usr/lib/*-linux-gnu"))
	libs = append(libs, filepath.Join(root, "usr/lib/mysql/private"), filepath.Join(root, "usr/lib/mysql"))
	return []string{loaders[0], "--library-path", strings.Join(libs, ":"), filepath.Join(root, program), "--no-defaults"}, nil
}

// noOpenSSLConf: the machine's own OpenSSL configuration is for another version of the library.
const noOpenSSLConf = "OPENSSL_CONF=/dev/null"

// MySQLTool gives a client program of Oracle MySQL, such as mysql or mysqladmin, to be run
// with more arguments.
func MySQLTool(t TB, name string, args ...string) *exec.Cmd {
	t.Helper()
	argv, err := inMySQLRoot("usr/bin/" + name)
	if err != nil {
		t.Fatalf("testkit: %v", err)
	}
	cmd := exec.Command(argv[0], append(argv[1:], args...)...)
	cmd.Env = append(os.Environ(), noOpenSSLConf)
	return cmd
}

func findMySQL() (*program, error) {
	argv, err := inMySQLRoot("usr/sbin/mysqld")
	if err != nil {
		return nil, err
	}
	root := mysqlRoot()
	argv = append(argv, "--basedir="+filepath.Join(root, "usr"),
		"--lc-messages-dir="+filepath.Join(root, "usr/share/mysql"),
		"--plugin-dir="+filepath.Join(root, "usr/lib/mysql/plugin"))
	return newProgram(MySQLFlavor, argv, []string{noOpenSSLConf}, "SLUICE_MYSQL, a root with Debian sid's mysql-server-core")
}

func newProgram(flavor Flavor, argv, env []string, source string) (*program, error) {
	p := &program{flavor: flavor, argv: argv, env: env}
	cmd := exec.Command(argv[0], append(argv[1:len(argv):len(argv)], "--version")...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%v is required (%s) and does not run: %w\n%s", flavor, source, err, out)
	}
	p.version = strings.TrimSpace(string(out))
	if os.Geteuid() == 0 {
		p.argv = append(p.argv, "--user=root")
	}
	return p, nil
}

// noAIO: a kernel has a bounded number of asynchronous requests (fs.aio-max-nr), which some
// twenty servers use up.
const noAIO = "--innodb-use-native-aio=OFF"

// layout are the options that the files of the template depend on; every start repeats them.
func (p *program) layout() []string {
	if p.flavor == MySQLFlavor {
		return []string{"--innodb-redo-log-capacity=8M", "--innodb-flush-method=nosync", noAIO}
	}
	return []string{"--innodb-log-file-size=8M", "--innodb-flush-method=nosync", noAIO}
}

// copyTo gives a server its data directory.
func (p *program) copyTo(dir string) error {
	tmpl, err := p.template()
	if err != nil {
		return err
	}
	out, err := exec.Command("cp", "-a", "--sparse=always", "--reflink=auto", tmpl, dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("copying %s: %w\n%s", tmpl, err, out)
	}
	os.Remove(filepath.Join(dir, "auto.cnf")) // the server's identity, which copies must not share
	return nil
}

// template gives the directory to copy and makes it if this machine has none. The lock lets
// one of several test binaries do the work; a half made one never gets the final name.
func (p *program) template() (string, error) {
	base, err := templateBase()
	if err != nil {
		return "", err
	}
	key := sha256.Sum256([]byte(p.version + "\n" + strings.Join(p.layout(), " ") + "\n" + bootstrapPrologue + accounts))
	dir := filepath.Join(base, p.flavor.String()+"-"+hex.EncodeToString(key[:6]))
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	work, err := os.MkdirTemp(base, "making-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	data := filepath.Join(work, "data")
	if err := p.initialize(work, data); err != nil {
		return "", fmt.Errorf("making a data directory for %s: %w", p.version, err)
	}
	return dir, os.Rename(data, dir)
}

// templateBase is the user's cache directory, or one of the temporary directory where there is none.
func templateBase() (string, error) {
	var errs []error
	for _, find := range []func() (string, error){os.UserCacheDir, func() (string, error) { return os.TempDir(), nil }} {
		dir, err := find()
		if err == nil {
			dir = filepath.Join(dir, fmt.Sprintf("sluice-test-templates-%d", os.Geteuid()))
			if err = os.MkdirAll(dir, 0o700); err == nil {
				return dir, nil
			}
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

func (p *program) initialize(work, data string) error {
	if p.flavor == MySQLFlavor {
		script := filepath.Join(work, "accounts.sql")
		if err := os.WriteFile(script, []byte(accounts), 0o600); err != nil {
			return err
		}
		return p.run("", "--initialize-insecure", "--datadir="+data, "--init-file="+script)
	}
	args := append([]string{"--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
		"--skip-name-resolve", "--datadir=" + data}, p.layout()...)
	if os.Geteuid() == 0 {
		args = append(args, "--user=root")
	}
	if out, err := exec.Command("mariadb-install-db", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("mariadb-install-db: %w\n%s", err, out)
	}
	return p.run(bootstrapPrologue+accounts, "--bootstrap", "--datadir="+data)
}

// run runs the server to its end, with input as its standard input.
func (p *program) run(input string, args ...string) error {
	argv := append(append(p.argv[:len(p.argv):len(p.argv)], p.layout()...), args...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), p.env...)
	cmd.Stdin = strings.NewReader(input)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}
