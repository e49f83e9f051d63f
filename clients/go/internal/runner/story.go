package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/dynamicpb"

	twofold "twofold.example/go"
)

const pause = 20 * time.Millisecond

type step struct {
	Name          string            `json:"name"`
	Call          string            `json:"call"`
	Request       any               `json:"request"`
	Session       any               `json:"session"`
	Ask           string            `json:"ask"`
	With          any               `json:"with"`
	Verify        any               `json:"verify"`
	Save          map[string]string `json:"save"`
	Expect        any               `json:"expect"`
	Error         map[string]any    `json:"error"`
	WithinSeconds float64           `json:"within_seconds"`
}

type told struct {
	Step    string  `json:"step"`
	OK      bool    `json:"ok"`
	Seconds float64 `json:"seconds"`
	Error   string  `json:"error,omitempty"`
}

// player plays steps, and holds the variables between them.
type player struct {
	client    *twofold.Client
	verifier  *twofold.Verifier
	helper    string
	variables variables
}

func story(ctx context.Context, config *config) error {
	content, err := os.ReadFile(config.Story)
	if err != nil {
		return err
	}
	var script struct{ Steps []step }
	if err := json.Unmarshal(content, &script); err != nil {
		return err
	}
	client, err := config.client()
	if err != nil {
		return err
	}
	defer client.Close()
	verifier, err := config.verifier(ctx)
	if err != nil {
		return err
	}
	defer verifier.Close()
	player := &player{client, verifier, config.Helper, config.Variables}
	for _, step := range script.Steps {
		began := time.Now()
		failed := player.play(ctx, &step)
		line := told{Step: step.Name, OK: failed == nil, Seconds: time.Since(began).Seconds()}
		if failed != nil {
			line.Error = failed.Error()
		}
		if err := say(line); err != nil {
			return err
		}
		if failed != nil {
			return fmt.Errorf("%s: %w", step.Name, failed)
		}
	}
	return nil
}

// play plays a step until it ends as it must, or its time is over.
func (p *player) play(ctx context.Context, step *step) error {
	ends := time.Now().Add(time.Duration(step.WithinSeconds * float64(time.Second)))
	for {
		// Looked at before a try and not after it: a step that ended as it must is never too late for the player.
		tried := time.Now()
		answer, failed := p.outcome(ctx, step)
		err := p.judge(step, answer, failed)
		if err == nil || !tried.Before(ends) {
			return err
		}
		time.Sleep(pause)
	}
}

func (p *player) outcome(ctx context.Context, step *step) (any, error) {
	switch {
	case step.Call != "":
		return p.call(ctx, step)
	case step.Ask != "":
		return p.ask(ctx, step)
	}
	token, err := p.variables.text(step.Verify)
	if err != nil {
		return nil, err
	}
	session, err := p.verifier.Verify(token)
	if err != nil {
		return nil, err
	}
	return plain(map[string]any{
		"account_id": session.AccountID, "session_id": session.SessionID, "realm_id": session.RealmID,
		"client_id": session.ClientID, "aal": session.AAL, "amr": session.AMR(),
	})
}

// call calls a method by its name in the contract, over the client's own connection.
func (p *player) call(ctx context.Context, step *step) (any, error) {
	service, name, _ := strings.Cut(step.Call, "/")
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName("twofold.v1." + service + "." + name))
	if err != nil {
		return nil, err
	}
	method, isMethod := found.(protoreflect.MethodDescriptor)
	if !isMethod {
		return nil, fmt.Errorf("%s is no method", step.Call)
	}
	request, answer := dynamicpb.NewMessage(method.Input()), dynamicpb.NewMessage(method.Output())
	if step.Request != nil {
		filled, err := p.variables.filled(step.Request)
		if err != nil {
			return nil, err
		}
		written, err := json.Marshal(filled)
		if err != nil {
			return nil, err
		}
		if err := protojson.Unmarshal(written, request); err != nil {
			return nil, err
		}
	}
	var options []grpc.CallOption
	if step.Session != nil {
		session, err := p.variables.text(step.Session)
		if err != nil {
			return nil, err
		}
		options = append(options, twofold.WithSession(session))
	}
	if err := p.client.Conn().Invoke(ctx, "/twofold.v1."+step.Call, request, answer, options...); err != nil {
		return nil, err
	}
	return asJSON(answer)
}

func asJSON(message proto.Message) (any, error) {
	written, err := protojson.Marshal(message)
	if err != nil {
		return nil, err
	}
	var answer any
	return answer, json.Unmarshal(written, &answer)
}

// ask asks the story's helper; straight there, whatever proxy the environment names.
func (p *player) ask(ctx context.Context, step *step) (any, error) {
	filled, err := p.variables.filled(step.With)
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	about, _ := filled.(map[string]any)
	for name, value := range about {
		query.Set(name, fmt.Sprint(value))
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.helper+"/"+step.Ask+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	direct := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	response, err := direct.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("the helper answers %s: %s", response.Status, body)
	}
	if err != nil {
		return nil, err
	}
	var answer any
	return answer, json.Unmarshal(body, &answer)
}

// judge tells whether a step ended as it must, and keeps what it saves.
func (p *player) judge(step *step, answer any, failed error) error {
	if failed != nil {
		var refused *twofold.Error
		if !errors.As(failed, &refused) || step.Error == nil {
			return fmt.Errorf("it failed: %w", failed)
		}
		return judgeError(step.Error, refused)
	}
	if step.Error != nil {
		return fmt.Errorf("it succeeded, and should have failed with %v", step.Error["reason"])
	}
	filled, err := p.variables.filled(step.Expect)
	if err != nil {
		return err
	}
	expected, _ := filled.(map[string]any)
	for path, wanted := range expected {
		found, err := at(answer, path)
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(found, wanted) {
			return fmt.Errorf("%s is %v, and should be %v", path, found, wanted)
		}
	}
	for name, path := range step.Save {
		if p.variables[name], err = at(answer, path); err != nil {
			return err
		}
	}
	return nil
}

func judgeError(wanted map[string]any, refused *twofold.Error) error {
	found := map[string]any{"code": codeName(refused), "reason": refused.Reason, "kind": refused.Kind.Error()}
	if _, asked := wanted["retry_after"]; asked {
		wait, has := refused.RetryAfter()
		found["retry_after"] = has && wait > 0
	}
	if _, asked := wanted["fields"]; asked {
		fields := []any{}
		for _, violation := range refused.FieldViolations {
			fields = append(fields, violation.Field)
		}
		found["fields"] = fields
	}
	if !reflect.DeepEqual(found, wanted) {
		return fmt.Errorf("it failed with %v, and should have with %v", found, wanted)
	}
	return nil
}
