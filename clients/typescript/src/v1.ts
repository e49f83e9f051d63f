/** The messages, enums and services of the contract, `twofold.v1`. */

export * from "./gen/twofold/v1/access_pb.js";
export * from "./gen/twofold/v1/account_pb.js";
export * from "./gen/twofold/v1/error_reason_pb.js";
export * from "./gen/twofold/v1/recovery_pb.js";
export * from "./gen/twofold/v1/session_pb.js";
export * from "./gen/twofold/v1/sign_in_pb.js";
export * from "./gen/twofold/v1/support_pb.js";
export * from "./gen/twofold/v1/two_factor_pb.js";
