// Command modulezip writes the zip of a module that a module proxy would serve, out of the last commit, and builds what
// is in it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: modulezip FOLDER VERSION INTO")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "modulezip:", err)
		os.Exit(1)
	}
}

func write(folder, version, into string) error {
	content, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		return err
	}
	named := module.Version{Path: modfile.ModulePath(content), Version: version}
	tree, err := os.MkdirTemp("", "modulezip-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tree)
	archive := filepath.Join(tree, "tree.tar")
	root, err := output(folder, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	prefix, err := output(folder, "git", "rev-parse", "--show-prefix")
	if err != nil {
		return err
	}
	if _, err := output(root, "git", "archive", "--format=tar", "--output="+archive, "HEAD:"+prefix); err != nil {
		return err
	}
	if _, err := output(tree, "tar", "-xf", archive); err != nil {
		return err
	}
	if err := os.Remove(archive); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(into), 0o755); err != nil {
		return err
	}
	partial := into + ".partial"
	defer os.Remove(partial)
	made, err := os.Create(partial)
	if err != nil {
		return err
	}
	err = zip.CreateFromDir(made, named, tree)
	if closed := made.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	if err := build(named, partial); err != nil {
		return err
	}
	return os.Rename(partial, into)
}

// build builds what is in the zip, far from the tree: a file that was left out would not be missed there.
func build(named module.Version, archive string) error {
	folder, err := os.MkdirTemp("", "modulezip-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	// Unzip wants a folder that is empty or not there.
	if err := zip.Unzip(folder, named, archive); err != nil {
		return err
	}
	_, err = output(folder, "go", "build", "-mod=readonly", "./...")
	return err
}

func output(folder, name string, arguments ...string) (string, error) {
	command := exec.Command(name, arguments...)
	command.Dir = folder
	command.Stderr = os.Stderr
	written, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(arguments, " "), err)
	}
	return strings.TrimSpace(string(written)), nil
}
