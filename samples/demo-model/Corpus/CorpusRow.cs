namespace Llama2.DemoModel;

/// <summary>One message of a row.</summary>
internal sealed record RowMessage(string Role, string Content);

/// <summary>One conversation to learn.</summary>
/// <param name="Messages">An optional system message, the request and the answer.</param>
/// <param name="Task">"emotion", "summary" or "topic".</param>
/// <param name="Label">The emotion, the family of the scenario, or the topic.</param>
internal sealed record CorpusRow(IReadOnlyList<RowMessage> Messages, string Task, string Label);
