namespace Llama2.Tests;

public class LoraOptionsTests
{
    [Fact]
    public void Validate_SettingOutOfRange_NamesIt()
    {
        Assert.Equal("Rank", Assert.Throws<ArgumentException>(() => new LoraOptions { Rank = 0 }.Validate()).ParamName);
        Assert.Equal("Alpha", Assert.Throws<ArgumentException>(() => new LoraOptions { Alpha = 0 }.Validate()).ParamName);
        Assert.Equal("Dropout", Assert.Throws<ArgumentException>(() => new LoraOptions { Dropout = 1 }.Validate()).ParamName);
        Assert.Equal("TargetModules", Assert.Throws<ArgumentException>(() => new LoraOptions { TargetModules = [] }.Validate()).ParamName);
        Assert.Equal("TargetModules", Assert.Throws<ArgumentException>(() => new LoraOptions { TargetModules = ["q_proj", "q_proj"] }.Validate()).ParamName);
        Assert.Equal("TargetModules", Assert.Throws<ArgumentException>(() => new LoraOptions { TargetModules = ["lm_head"] }.Validate()).ParamName);
    }

    [Fact]
    public void Scale_DefaultAndRankStabilized_DivideByTheRankOrItsRoot()
    {
        Assert.Equal(16, new LoraOptions().Scale);
        Assert.Equal(4, new LoraOptions { Rank = 16, Alpha = 16, RankStabilized = true }.Scale);
    }
}
