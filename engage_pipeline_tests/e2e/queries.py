"""The GraphQL that the tests send: what Dagster's own UI asks and orders."""

LOCATIONS = """
{ workspaceOrError { ... on Workspace { locationEntries {
  name locationOrLoadError { __typename ... on PythonError { message } }
} } } }
"""
ASSETS = "{ assetNodes { assetKey { path } groupName } }"
INSTIGATORS = """
query Instigators($repository: RepositorySelector!) {
  sensorsOrError(repositorySelector: $repository) {
    ... on Sensors { results { name sensorState { status } } }
  }
  schedulesOrError(repositorySelector: $repository) {
    ... on Schedules { results { name scheduleState { status } } }
  }
}
"""
TICKS = """
query Ticks($instigator: InstigationSelector!) {
  instigationStateOrError(instigationSelector: $instigator) {
    ... on InstigationState {
      id ticks(limit: 500) { id status timestamp skipReason runIds error { message } }
    }
    ... on PythonError { message }
  }
}
"""
START_SCHEDULE = """
mutation Start($schedule: ScheduleSelector!) {
  startSchedule(scheduleSelector: $schedule) {
    __typename ... on ScheduleStateResult { scheduleState { status } } ... on PythonError { message }
  }
}
"""
STOP_SCHEDULE = """
mutation Stop($id: String!) {
  stopRunningSchedule(id: $id) {
    __typename ... on ScheduleStateResult { scheduleState { status } } ... on PythonError { message }
  }
}
"""
DRY_RUN = """
mutation DryRun($schedule: ScheduleSelector!, $timestamp: Float) {
  scheduleDryRun(selectorData: $schedule, timestamp: $timestamp) {
    __typename
    ... on DryRunInstigationTick { evaluationResult { skipReason runRequests { jobName } error { message } } }
    ... on PythonError { message }
  }
}
"""
LAUNCH = """
mutation Launch($parameters: ExecutionParams!) {
  launchRun(executionParams: $parameters) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}
"""
BACKFILL = """
mutation Backfill($parameters: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $parameters) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}
"""
ADD_PART = """
mutation Add($repository: RepositorySelector!, $part: String!) {
  addDynamicPartition(repositorySelector: $repository, partitionsDefName: "part", partitionKey: $part) {
    __typename ... on UnauthorizedError { message } ... on PythonError { message }
    ... on DuplicateDynamicPartitionError { message: partitionName }
  }
}
"""
DELETE_PARTS = """
mutation Delete($repository: RepositorySelector!, $parts: [String!]!) {
  deleteDynamicPartitions(repositorySelector: $repository, partitionsDefName: "part", partitionKeys: $parts) {
    __typename ... on UnauthorizedError { message } ... on PythonError { message }
  }
}
"""
BACKFILL_STATUS = """
query BackfillStatus($id: String!) {
  partitionBackfillOrError(backfillId: $id) { ... on PartitionBackfill { status } ... on PythonError { message } }
}
"""
RUNS = """
query Runs($filter: RunsFilter) {
  runsOrError(filter: $filter) {
    ... on Runs { results { runId jobName status startTime endTime tags { key value } } }
    ... on PythonError { message }
  }
}
"""
LAUNCH_TIME = """
query LaunchTime($id: ID!) {
  runOrError(runId: $id) { ... on Run { stats { ... on RunStatsSnapshot { launchTime } } } }
}
"""
PARTS = """
query Parts($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode {
      partitionKeys
      assetPartitionStatuses { ... on DefaultPartitionStatuses { materializedPartitions failedPartitions } }
    }
  }
}
"""
MATERIALIZATIONS = """
query Materializations($asset: AssetKeyInput!, $parts: [String!]) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode {
      assetMaterializations(partitions: $parts, limit: 100) {
        runId metadataEntries { label ... on IntMetadataEntry { intValue } ... on TextMetadataEntry { text } }
      }
    }
  }
}
"""
FAILURES = """
query Failures($id: ID!) {
  runOrError(runId: $id) {
    ... on Run {
      eventConnection {
        events {
          ... on ExecutionStepFailureEvent {
            failureMetadata { description } error { errorChain { error { message } } }
          }
        }
      }
    }
  }
}
"""
POOLS = "{ instance { concurrencyLimits { concurrencyKey activeSlotCount } } }"
