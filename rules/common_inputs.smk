"""What jobs read: the user's files, and what other jobs made of them, recording by recording."""

LIFTING = parse_options(
    LIFTERS.options(CONFIG.lifting.method), CONFIG.lifting.options, "lifting.options"
)
# Conversion costs less than a job: only a network's lifting is one of its own.
LIFTED_BY_CLEANING = CONFIG.lifting.method == "estimator"
LIFTED_WITH_CLEANING = (
    {"lifted": results("pose/lifted/{recording}.h5")} if LIFTED_BY_CLEANING else {}
)


def has_video(recording):
    """Tell whether a recording has a video."""
    phantom = PHANTOMS.get(recording)
    return phantom.kind == "video" if phantom else STUDY.recordings[recording].video is not None


def has_tracks(recording):
    """Tell whether a recording comes with tracks, which then count, video or not."""
    phantom = PHANTOMS.get(recording)
    return phantom.kind != "video" if phantom else STUDY.recordings[recording].pose is not None


IMPORTED = [
    r.recording
    for r in recordings_of(*EVALUATED_ROLES)
    if has_tracks(r.recording) and r.recording not in PHANTOMS
]
ESTIMATED = [r.recording for r in recordings_of(*EVALUATED_ROLES) if not has_tracks(r.recording)]


def check_storages():
    """Ask for the plugins of the sheet's URLs before any job.

    Raises
    ------
    WorkflowError
        If one is missing: which one, and how to get it.
    """
    urls = [url for r in STUDY.recordings for c in ("video", "pose") if (url := STUDY.url(r, c))]
    for url in {url.split("://")[0].lower(): url for url in urls}.values():
        try:
            _ = storage(url)
        except WorkflowError as error:
            raise WorkflowError(
                f"sheet: {url}: no storage plugin takes this URL. {plugin_hint(url)}, or correct "
                f"the URL: docs/clusters.md.\n{error}"
            ) from None


if workflow.is_main_process:
    check_storages()


def source_file(recording, column):
    """Return the user's file: of this machine by content alone, of a storage by its date."""
    if url := STUDY.url(recording, column):
        return storage(url)
    # With results in a storage, a path of the sheet is still one of this machine.
    return ancient(local(str(STUDY.source(recording, column))))


def source_content(recording, column):
    """Return the content checksum of the user's file, or the URL of what a storage has."""
    if url := STUDY.url(recording, column):
        return url
    return source_checksum(STUDY.source(recording, column), SOURCES)


def source_video(wildcards):
    """Return a recording's source: the user's by content alone, a phantom's by its rule."""
    if wildcards.recording in PHANTOMS:
        return results(f"phantom/{wildcards.recording}/video.mp4")
    return source_file(wildcards.recording, "video")


def track_inputs(wildcards):
    """Return a recording's tracks (a file or a folder), and the record of a video beside them."""
    if wildcards.recording in PHANTOMS:
        return {"track": results(f"phantom/{wildcards.recording}/track.nc")}
    tracks = {"track": source_file(wildcards.recording, "pose")}
    if not has_video(wildcards.recording):
        return tracks
    return tracks | {"record": results("video/{recording}.json").format(**wildcards)}


def checksum_of_video(wildcards):
    """Return the content checksum of the user's video; a phantom's is its specification."""
    if wildcards.recording in PHANTOMS:
        return ""
    return source_content(wildcards.recording, "video")


def checksum_of_track(wildcards):
    """Return the content checksum of the user's tracks; a phantom's is its specification."""
    if wildcards.recording in PHANTOMS:
        return ""
    return source_content(wildcards.recording, "pose")


def corrections_of(wildcards):
    """Return a recording's corrections by hand, if there are any: by content alone."""
    path = CORRECTIONS.get(wildcards.recording)
    return ancient(local(str(path))) if path else []


def checksum_of_corrections(wildcards):
    """Return the content checksum of a recording's corrections, nothing if there are none."""
    path = CORRECTIONS.get(wildcards.recording)
    return source_checksum(path, SOURCES) if path else ""


def checksums_of_pose_files(wildcards):
    """Return the content checksums of the estimator's own files, by the option that names them."""
    return {key: source_checksum(path, SOURCES) for key, path in POSE_OPTIONS.files().items()}


def raw_pose(wildcards):
    """Return the pose that cleaning starts from: estimated or imported."""
    kind = "imported" if has_tracks(wildcards.recording) else "raw"
    return results(f"pose/{kind}/{wildcards.recording}.h5")


def cleaning_inputs(wildcards):
    """Return what is cleaned, a recording's corrections, and the size of the picture they are in.

    Corrections count by content alone, like a source: their checksum is a parameter.
    """
    given = {"pose": raw_pose(wildcards)}
    corrections = corrections_of(wildcards)
    if corrections:
        given["corrections"] = corrections
        if has_video(wildcards.recording):
            given["record"] = results(f"video/{wildcards.recording}.json")
    return given


def feature_inputs(wildcards):
    """Return what features are built from; of a video, how the camera moved and its length."""
    given = {
        "clean": results(f"pose/clean/{wildcards.recording}.h5"),
        "lifted": results(f"pose/lifted/{wildcards.recording}.h5"),
    }
    if has_video(wildcards.recording):
        given["background"] = results(f"background/{wildcards.recording}.h5")
        given["record"] = results(f"video/{wildcards.recording}.json")
    return given


def exported_pose(wildcards):
    """Return the pose that is exported: cleaned, or as it came."""
    if CONFIG.export.tracks == "raw":
        return raw_pose(wildcards)
    return results("pose/clean/{recording}.h5").format(**wildcards)


def collect_exports(wildcards):
    """Return the exports of all included recordings."""
    return paths("export/{recording}", recordings_of(*[role.value for role in Role]))


def review_inputs(wildcards):
    """Return what a review is made from: the pose before cleaning, and the pictures."""
    given = {"pose": raw_pose(wildcards), "corrections": corrections_of(wildcards)}
    given |= {k: v for k, v in overlay_inputs(wildcards).items() if k != "clean"}
    return {name: path for name, path in given.items() if path}


def collect_features(wildcards):
    """Return the features of all included recordings."""
    return paths("features/{recording}.h5", recordings_of(*[role.value for role in Role]))


def collect_pixels(wildcards):
    """Return the crops and flow of all included recordings that have a video."""
    recordings = recordings_of(*[role.value for role in Role])
    return paths("pixels/{recording}.h5", [r for r in recordings if has_video(r.recording)])


def collect_predictions(wildcards):
    """Return the predictions of all infants that are assessed."""
    return [results(f"predictions/{infant}.h5") for infant in sorted(ASSESSED)]


def pixels_of(recordings):
    """Return crops and flow of those recordings that have a video, if a model looks at them."""
    shown = [r for r in recordings if has_video(r.recording)]
    return paths("pixels/{recording}.h5", shown if WITH_PIXELS else [])


def cohort_tables(wildcards):
    """Return the cohort tables of all roles that have a recording in the sheet."""
    return [results(f"cohort/{role}.tsv") for role in EVALUATED_ROLES if STUDY.by_role(Role(role))]


def lifting_inputs(wildcards):
    """Return what a network lifts: the clean pose, and where there is a video its size."""
    inputs = {"clean": results(f"pose/clean/{wildcards.recording}.h5")}
    if has_video(wildcards.recording):
        inputs["record"] = results(f"video/{wildcards.recording}.json")
    return inputs


def overlay_inputs(wildcards):
    """Return what an overlay is drawn from: tracks have no video."""
    clean = {"clean": results(f"pose/clean/{wildcards.recording}.h5")}
    if not has_video(wildcards.recording):
        return clean
    return clean | {
        "video": results(f"video/{wildcards.recording}.mp4"),
        "record": results(f"video/{wildcards.recording}.json"),
        "background": results(f"background/{wildcards.recording}.h5"),
    }
