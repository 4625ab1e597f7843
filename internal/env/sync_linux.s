// SPDX-License-Identifier: Apache-2.0

// Empty: with an assembly file in the package the compiler lets functions of other
// packages be declared without a body.
