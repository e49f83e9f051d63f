package twofold

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

var hostAndPort = regexp.MustCompile(`^(?:\[([0-9A-Fa-f:.]+)\]|([0-9A-Za-z.-]+))(?::[0-9]{1,5})?$`)

// requireSafeTarget refuses a target to which passwords and tokens would travel in the clear.
func requireSafeTarget(target string, secured bool) error {
	if target == "" {
		return errors.New("the target is empty; give one such as auth.example.com:443")
	}
	if !secured && !isLocal(target) {
		return fmt.Errorf("%q is not a loopback address or unix socket: passwords and tokens would cross the network "+
			"in the clear, so WithTLS(...) is required", target)
	}
	return nil
}

// isLocal tells whether a gRPC target is on this machine. What is not understood is not.
func isLocal(target string) bool {
	if strings.HasPrefix(target, "unix:") || strings.HasPrefix(target, "unix-abstract:") {
		return true
	}
	for _, scheme := range []string{"dns:///", "dns:", "passthrough:///"} {
		if rest, found := strings.CutPrefix(target, scheme); found {
			target = rest
			break
		}
	}
	parts := hostAndPort.FindStringSubmatch(target)
	if parts == nil {
		return false
	}
	host := parts[1] + parts[2]
	if strings.EqualFold(host, "localhost") { // RFC 6761: always this machine
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}
