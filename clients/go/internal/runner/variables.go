package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/code"

	twofold "twofold.example/go"
)

var variable = regexp.MustCompile(`\$\{(\w+)\}`)

// variables are the story's, of any type that JSON has.
type variables map[string]any

// filled gives a value with its variables put in.
func (v variables) filled(value any) (any, error) {
	switch value := value.(type) {
	case map[string]any:
		made := make(map[string]any, len(value))
		for name, inner := range value {
			filled, err := v.filled(inner)
			if err != nil {
				return nil, err
			}
			made[name] = filled
		}
		return made, nil
	case []any:
		made := make([]any, len(value))
		for i, inner := range value {
			filled, err := v.filled(inner)
			if err != nil {
				return nil, err
			}
			made[i] = filled
		}
		return made, nil
	case string:
		return v.filledText(value)
	}
	return value, nil
}

func (v variables) filledText(text string) (any, error) {
	for _, found := range variable.FindAllStringSubmatch(text, -1) {
		value, known := v[found[1]]
		if !known {
			return nil, fmt.Errorf("there is no variable %s", found[1])
		}
		if found[0] == text {
			return value, nil
		}
	}
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		return fmt.Sprint(v[found[2:len(found)-1]])
	}), nil
}

// text gives a string with its variables put in.
func (v variables) text(value any) (string, error) {
	filled, err := v.filled(value)
	if err != nil {
		return "", err
	}
	text, isText := filled.(string)
	if !isText {
		return "", fmt.Errorf("%v must be a string", value)
	}
	return text, nil
}

// at gives the value at a path of names and places.
func at(answer any, path string) (any, error) {
	for name := range strings.SplitSeq(path, ".") {
		found := false
		switch holder := answer.(type) {
		case map[string]any:
			answer, found = holder[name]
		case []any:
			if place, err := strconv.Atoi(name); err == nil && place >= 0 && place < len(holder) {
				answer, found = holder[place], true
			}
		}
		if !found {
			return nil, fmt.Errorf("the answer has no %s", path)
		}
	}
	return answer, nil
}

// plain gives a value as JSON would be read.
func plain(value any) (any, error) {
	written, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	var read any
	return read, json.Unmarshal(written, &read)
}

// codeName spells a code as the contract does: NOT_FOUND, not NotFound.
func codeName(of *twofold.Error) string { return code.Code(of.Code).String() }
