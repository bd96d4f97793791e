//! Tables of cycles: what safety commands when the plant, the plan or a person does something.
//!
//! Each file is one part of `docs/safety-case.md`; `bench` is the plant on paper that they share.

mod cycles {
    mod authority;
    mod bench;
    mod building;
    mod devices;
    mod dew_point;
    mod foresight;
    mod limits;
    mod pair;
    mod plans;
    mod properties;
    mod readings;
    mod trouble;
}
