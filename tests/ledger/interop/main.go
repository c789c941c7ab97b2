// A peer that nobody here wrote: filippo.io/torchwood reads what a witness of ours signed, and signs as a witness itself.
//
//	peer verify NOTE LOG-KEY WITNESS-KEY    prints the size of the checkpoint, and the time of the cosignature
//	peer cosign NOTE LOG-KEY NAME           prints a witness's key, and the note with its line
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"os"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(verb, file, logKey, witness string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	log, err := note.NewVerifier(logKey)
	if err != nil {
		return err
	}
	if verb == "verify" {
		return verify(data, log, witness)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	signer, err := torchwood.NewCosignatureSigner(witness, key)
	if err != nil {
		return err
	}
	opened, err := note.Open(data, note.VerifierList(log))
	if err != nil {
		return err
	}
	signed, err := note.Sign(opened, signer)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%s", signer.Verifier(), signed)
	return nil
}

func verify(data []byte, log note.Verifier, witness string) error {
	cosigner, err := torchwood.NewCosignatureVerifier(witness)
	if err != nil {
		return err
	}
	opened, err := note.Open(data, note.VerifierList(log, cosigner))
	if err != nil {
		return err
	}
	checkpoint, err := torchwood.ParseCheckpoint(opened.Text)
	if err != nil {
		return err
	}
	for _, signature := range opened.Sigs {
		if signature.Hash == cosigner.KeyHash() {
			time, err := torchwood.CosignatureTimestamp(signature)
			if err != nil {
				return err
			}
			fmt.Println(checkpoint.N, time)
			return nil
		}
	}
	return fmt.Errorf("the witness has not signed")
}
