// Reads a ledger's folder with code that its authors did not write: Go's golang.org/x/mod/sumdb, which checks the go.sum database.
//
// Usage: ledgercheck FOLDER VKEY OLDER_CHECKPOINT
//
// It opens both checkpoints with the key, reads the hash tiles, and checks each record's inclusion and each older tree's consistency.
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// folder is a tlog.TileReader. The go.sum database writes tile/8/L/N for tiles of height 8, and C2SP tlog-tiles writes tile/L/N.
type folder string

func (f folder) Height() int { return 8 }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var found [][]byte
	for _, tile := range tiles {
		path := "tile/" + strings.TrimPrefix(tile.Path(), "tile/8/")
		data, err := os.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			return nil, err
		}
		found = append(found, data)
	}
	return found, nil
}

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

// entries reads one bundle: each record behind its length in two bytes.
func (f folder) entries(number, width int64) ([][]byte, error) {
	tile := tlog.Tile{H: 8, L: 0, N: number, W: int(width)}
	data, err := os.ReadFile(filepath.Join(string(f), "tile/entries/"+strings.TrimPrefix(tile.Path(), "tile/8/0/")))
	if err != nil {
		return nil, err
	}
	var found [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
			return nil, fmt.Errorf("bundle %d ends inside a record", number)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		found = append(found, data[2:end])
		data = data[end:]
	}
	return found, nil
}

func checkpoint(file, vkey string) (tlog.Tree, error) {
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return tlog.Tree{}, err
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("%s: is no checkpoint of %s", file, verifier.Name())
	}
	var size int64
	if _, err := fmt.Sscanf(lines[1], "%d", &size); err != nil {
		return tlog.Tree{}, err
	}
	root, err := tlog.ParseHash(lines[2])
	return tlog.Tree{N: size, Hash: root}, err
}

func check(path, vkey, before string) (map[string]int64, error) {
	tree, err := checkpoint(filepath.Join(path, "checkpoint"), vkey)
	if err != nil {
		return nil, err
	}
	older, err := checkpoint(before, vkey)
	if err != nil {
		return nil, err
	}
	reader := tlog.TileHashReader(tree, folder(path))
	var included, consistent int64
	for first := int64(0); first < tree.N; first += 256 {
		rows, err := folder(path).entries(first/256, min(256, tree.N-first))
		if err != nil {
			return nil, err
		}
		for at, row := range rows {
			proof, err := tlog.ProveRecord(tree.N, first+int64(at), reader)
			if err != nil {
				return nil, err
			}
			if err := tlog.CheckRecord(proof, tree.N, tree.Hash, first+int64(at), tlog.RecordHash(row)); err != nil {
				return nil, fmt.Errorf("record %d: %w", first+int64(at)+1, err)
			}
			included++
		}
	}
	for size := int64(1); size <= tree.N; size++ {
		root, err := tlog.TreeHash(size, reader)
		if err != nil {
			return nil, err
		}
		if size == older.N && root != older.Hash {
			return nil, fmt.Errorf("the older checkpoint is of another log")
		}
		proof, err := tlog.ProveTree(tree.N, size, reader)
		if err != nil {
			return nil, err
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, size, root); err != nil {
			return nil, fmt.Errorf("tree of %d: %w", size, err)
		}
		consistent++
	}
	return map[string]int64{"size": tree.N, "older": older.N, "included": included, "consistent": consistent}, nil
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: ledgercheck FOLDER VKEY OLDER_CHECKPOINT")
		os.Exit(2)
	}
	found, err := check(os.Args[1], os.Args[2], os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}
