// ghz with a request and an access token of its own for each call: the command line of ghz has one token for all.
//
// Reads length-prefixed requests and, if named, tokens one a line; sends each request once; prints what came of them as JSON.
package main

import (
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"time"

	"github.com/bojand/ghz/protodesc"
	"github.com/bojand/ghz/runner"
	"github.com/jhump/protoreflect/desc"
	"github.com/jhump/protoreflect/dynamic"
	"google.golang.org/grpc/metadata"
)

type answer struct {
	Count   int            `json:"count"`
	Seconds float64        `json:"seconds"`
	P50     float64        `json:"p50_ms"`
	P99     float64        `json:"p99_ms"`
	Codes   map[string]int `json:"codes"`
	Errors  map[string]int `json:"errors"`
}

func main() {
	proto := flag.String("proto", "", "the .proto file")
	imports := flag.String("import-paths", "", "where it imports from")
	call := flag.String("call", "", "package.Service/Method")
	host := flag.String("host", "", "host:port")
	requests := flag.String("requests", "", "file of requests, each after its length in 4 bytes, big-endian")
	tokens := flag.String("tokens", "", "file of access tokens, one a line, one a request")
	credential := flag.String("credential-file", "", "file with the calling service's credential")
	connections := flag.Uint("connections", 32, "")
	concurrency := flag.Uint("concurrency", 32, "")
	timeout := flag.Duration("timeout", 20*time.Second, "of a call")
	flag.Parse()

	method, err := protodesc.GetMethodDescFromProto(*call, *proto, strings.Split(*imports, ","))
	check(err)
	messages := readRequests(*requests, method.GetInputType())
	headers := readHeaders(*tokens, *credential, len(messages))

	report, err := runner.Run(*call, *host,
		runner.WithProtoFile(*proto, strings.Split(*imports, ",")),
		runner.WithInsecure(true),
		runner.WithTotalRequests(uint(len(messages))),
		runner.WithConnections(*connections),
		runner.WithConcurrency(*concurrency),
		runner.WithTimeout(*timeout),
		runner.WithCountErrors(true),
		runner.WithDataProvider(func(call *runner.CallData) ([]*dynamic.Message, error) {
			return messages[call.RequestNumber : call.RequestNumber+1], nil
		}),
		runner.WithMetadataProvider(func(call *runner.CallData) (*metadata.MD, error) {
			return &headers[call.RequestNumber%int64(len(headers))], nil
		}),
	)
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(summary(report)))
}

func readRequests(path string, kind *desc.MessageDescriptor) []*dynamic.Message {
	raw, err := os.ReadFile(path)
	check(err)
	var found []*dynamic.Message
	for len(raw) > 0 {
		length := binary.BigEndian.Uint32(raw)
		message := dynamic.NewMessage(kind)
		check(message.Unmarshal(raw[4 : 4+length]))
		found = append(found, message)
		raw = raw[4+length:]
	}
	return found
}

func readHeaders(tokens, credential string, count int) []metadata.MD {
	raw, err := os.ReadFile(credential)
	check(err)
	authorization := "Bearer " + strings.TrimSpace(string(raw))
	if tokens == "" {
		return []metadata.MD{metadata.Pairs("authorization", authorization)}
	}
	raw, err = os.ReadFile(tokens)
	check(err)
	lines := strings.Fields(string(raw))
	if len(lines) != count {
		check(fmt.Errorf("%d tokens for %d requests", len(lines), count))
	}
	found := make([]metadata.MD, len(lines))
	for at, line := range lines {
		found[at] = metadata.Pairs("authorization", authorization, "twofold-session", line)
	}
	return found
}

func summary(report *runner.Report) answer {
	latencies := make([]time.Duration, len(report.Details))
	for at, detail := range report.Details {
		latencies[at] = detail.Latency
	}
	sort.Slice(latencies, func(a, b int) bool { return latencies[a] < latencies[b] })
	part := func(share float64) float64 {
		if len(latencies) == 0 {
			return 0
		}
		return float64(latencies[int(share*float64(len(latencies)-1))]) / float64(time.Millisecond)
	}
	return answer{
		Count: int(report.Count), Seconds: report.Total.Seconds(), P50: part(0.5), P99: part(0.99),
		Codes: report.StatusCodeDist, Errors: report.ErrorDist,
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
