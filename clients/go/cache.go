package twofold

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// verified is what is remembered of a token whose signature and claims were good. Written once, but for its marks.
type verified struct {
	digest  [sha256.Size]byte
	session VerifiedSession
	until   time.Time
	kid     string
	// The generation of what is revoked at which it was found alive last.
	aliveAt atomic.Uint64
	// Asked for since a newcomer last looked for a place.
	used atomic.Bool
}

const cacheWays = 8

type cacheSet [cacheWays]atomic.Pointer[verified]

// cache remembers verified tokens by their digest: sets of eight places each, so that neither a look-up nor a new entry
// takes a lock or touches more than eight places. Racing newcomers lose an entry at worst.
type cache struct{ sets []cacheSet }

func newCache(size int) *cache {
	return &cache{sets: make([]cacheSet, max(1, (size+cacheWays-1)/cacheWays))}
}

// A digest is as good as random, so any part of it spreads evenly.
func (c *cache) set(digest *[sha256.Size]byte) *cacheSet {
	return &c.sets[binary.LittleEndian.Uint64(digest[:8])%uint64(len(c.sets))]
}

// get gives the entry of a digest, or nil. A plain comparison will do: nobody can steer a SHA-256 by its timing.
func (c *cache) get(digest *[sha256.Size]byte) *verified {
	set := c.set(digest)
	for i := range set {
		if entry := set[i].Load(); entry != nil && entry.digest == *digest {
			if !entry.used.Load() {
				entry.used.Store(true)
			}
			return entry
		}
	}
	return nil
}

// put takes the place of the same token, a free one, or that of an entry that nobody has asked for lately.
func (c *cache) put(entry *verified, now time.Time) {
	set := c.set(&entry.digest)
	first := rand.IntN(cacheWays)
	place := -1
	for i := range set {
		held := set[i].Load()
		switch {
		case held == nil || !held.until.After(now):
			place = i
		case held.digest == entry.digest:
			set[i].Store(entry)
			return
		}
	}
	for i := 0; place < 0 && i < cacheWays; i++ {
		at := (first + i) % cacheWays
		if held := set[at].Load(); held == nil || !held.used.Swap(false) {
			place = at
		}
	}
	if place < 0 {
		place = first
	}
	set[place].Store(entry)
}
