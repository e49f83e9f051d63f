//go:build !unix

package main

import "time"

var began = time.Now()

// processorTime gives the time that has passed, where the processor's own is not told.
func processorTime() time.Duration { return time.Since(began) }
