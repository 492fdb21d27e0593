using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Microsoft.Extensions.AI;

namespace Llama2.Training.Tests;

public sealed class JsonRowTests
{
    private static readonly TrainingDataOptions _options = new() { MaximumLength = 64 };

    [Theory]
    [InlineData("""{"text": "a\r\nb", "ground_truth": "c", "id": 7}""", "a\r\nb", "c")]
    [InlineData("""{"text": "\ud83d\ude42", "ground_truth": 3}""", "🙂", "3")]
    [InlineData("""{"text": "", "ground_truth": "", "messages": null}""", "", "")]
    public void Read_Pair_TakesItsKeys(string json, string text, string answer) => Assert.Equal(DataRow.Pair(text, answer), Read(json));

    [Fact]
    public void Read_OtherKeys_AreUsed()
    {
        DataRow row = Read("""{"text": "no", "dialogue": "a", "summary": "b"}""", _options with { TextKey = "dialogue", GroundTruthKey = "summary" });

        Assert.Equal(DataRow.Pair("a", "b"), row);
        Assert.Equal(DataRow.Pair("a", null), Read("""{"text": "a", "ground_truth": "b"}""", _options with { GroundTruthKey = null }));
    }

    [Fact]
    public void Read_Messages_AreAConversation()
    {
        DataRow row = Read("""{"text": "x", "messages": [{"role": "user", "content": "a", "weight": 1}, {"role": "assistant", "content": "b"}]}""");

        Assert.Equal([(ChatRole.User, "a"), (ChatRole.Assistant, "b")], row.Messages!.Select(message => (message.Role, message.Text)));
    }

    [Theory]
    [InlineData("{", "the row is no valid JSON at byte 1")]
    [InlineData("""{"text": "a"} x""", "the row is no valid JSON at byte 14")]
    [InlineData("[]", "the row is a JSON list, not an object; a file has one object per line, not one list")]
    [InlineData("null", "the row is a JSON null, not an object")]
    [InlineData("\"a\"", "the row is a JSON text, not an object")]
    [InlineData("1", "the row is a JSON number, not an object")]
    [InlineData("true", "the row is a JSON truth value, not an object")]
    [InlineData("{}", "neither 'messages' nor 'text'")]
    [InlineData("""{"text": null}""", "neither 'messages' nor 'text'")]
    [InlineData("""{"text": "a"}""", "no 'ground_truth'")]
    [InlineData("""{"text": ["a"], "ground_truth": "b"}""", "'text' is a JSON list, not a text")]
    [InlineData("""{"text": "a", "ground_truth": true}""", "'ground_truth' is a JSON truth value, not a text")]
    [InlineData("""{"text": "\ud83d", "ground_truth": "b"}""", "'text' holds half of a surrogate pair")]
    [InlineData("""{"messages": {}}""", "'messages' is a JSON object, not a list")]
    [InlineData("""{"messages": ["a"]}""", "message 0 of 'messages' is a JSON text, not an object")]
    [InlineData("""{"messages": [{"role": "user"}]}""", "message 0 of 'messages' has no 'content'")]
    [InlineData("""{"messages": [{"content": "a"}]}""", "message 0 of 'messages' has no 'role'")]
    [InlineData("""{"messages": [{"role": "", "content": "a"}]}""", "message 0 of 'messages' has an empty role")]
    public void Read_Unusable_SaysWhy(string json, string problem) => Assert.Equal(problem, Assert.Throws<BadRowException>(() => Read(json)).Message);

    [Fact]
    public void Read_KeyTwice_IsRefused() =>
        Assert.StartsWith("the row is no valid JSON", Assert.Throws<BadRowException>(() => Read("""{"text": "a", "text": "b", "ground_truth": "c"}""")).Message);

    [Fact]
    public void Read_DeepNesting_IsRefused() => Assert.Throws<BadRowException>(() => Read(new string('[', 100_000)));

    /// <summary>Whatever bytes a line has, it is a row or a bad row.</summary>
    [Property(MaxTest = 1000, Replay = "(13,7)")]
    public Property Read_Mutated_NeverFailsOtherwise() => Prop.ForAll(
        Gen.Zip(Gen.Choose(0, 90).Three(), Gen.Elements("{", "}", "[", "]", "\"", "\\", "\\u", "null", ",", ":", "\0", "é", "9e999", "-")).ToArbitrary(),
        mutation =>
        {
            ((int at, int removed, int cut), string inserted) = mutation;
            string json = """{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "x": 1}""";
            json = json.Remove(at, Math.Min(removed % 5, json.Length - at)).Insert(at, inserted);
            json = cut > 80 ? json[..cut] : json;
            Exception? exception = Record.Exception(() => Read(json));
            Assert.True(exception is null or BadRowException, exception?.ToString());
        });

    private static DataRow Read(string json, TrainingDataOptions? options = null) => JsonRow.Read(Encoding.UTF8.GetBytes(json), options ?? _options);
}
