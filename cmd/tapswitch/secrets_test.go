// SPDX-License-Identifier: Apache-2.0

package main_test

func (r *rig) secrets() []string { return nil }
